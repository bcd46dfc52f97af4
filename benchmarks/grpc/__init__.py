"""What a guard costs a gRPC server; see README.md."""
