"""aiocache, which a fleet shares: the URL of a cache, a client that never waits long, and authenticated envelopes."""
