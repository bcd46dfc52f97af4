"""Generated from protos/bearward/sample/v1/sample.proto with the oldest supported tools; `make proto` writes it anew."""
