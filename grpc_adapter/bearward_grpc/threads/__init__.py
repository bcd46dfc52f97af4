"""For grpc.server, with its thread pool: the interceptor, and its wrappers for handlers."""
