"""Which method asks what of its caller, where that is read from, and its check when a server starts."""
