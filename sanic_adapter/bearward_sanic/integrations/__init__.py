"""What Sanic or its extension bring beside routes: documentation, injection, metadata, workers, logs."""
