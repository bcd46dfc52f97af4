"""For grpc.aio: the interceptor, and its wrappers for handlers."""
