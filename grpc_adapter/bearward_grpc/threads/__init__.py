"""For grpc.server, the one with the thread pool: the interceptor, and what it puts around handlers."""
