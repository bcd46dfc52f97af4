"""What users import in their `.proto` files: `bearward_grpc/v1/annotations.proto`, and its generated module."""
