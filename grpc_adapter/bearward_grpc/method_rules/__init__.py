"""Which method requires what of its caller, where that is read from, and the check when a server starts."""
