"""One protected service, served over gRPC and over Sanic, with a local issuer beside it: what to run first."""
