"""One request in place: a Sanic server within the process, without a network, for the time and the caches it takes."""
