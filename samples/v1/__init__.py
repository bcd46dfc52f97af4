r"""Generated from protos/bearward/sample/v1/sample.proto; not written by hand.

With grpcio-tools 1.66.0, the oldest supported, because generated code refuses to run under anything older than what
made it, and mypy-protobuf 3.6.0 for the types:

    python -m grpc_tools.protoc -Isamples/v1=protos/bearward/sample/v1 --python_out=. --grpc_python_out=. \
        --mypy_out=quiet:. --mypy_grpc_out=quiet:. samples/v1/sample.proto
"""
