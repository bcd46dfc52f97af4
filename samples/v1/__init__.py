"""Generated from protos/bearward/sample/v1/sample.proto by `make proto`; not written by hand."""
