"""A guarded route over HTTP, beside the same route unguarded and beside Hono with jose on Node."""
