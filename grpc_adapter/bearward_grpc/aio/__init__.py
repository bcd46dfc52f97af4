"""For grpc.aio: the interceptor, and what it puts around handlers."""
