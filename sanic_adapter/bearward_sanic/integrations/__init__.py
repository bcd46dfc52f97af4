"""Features of Sanic and sanic-ext other than routes: documentation, injection, metadata, workers, logs."""
