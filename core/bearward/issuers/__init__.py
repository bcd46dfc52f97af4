"""Which issuer a token names, and whether it is trusted."""
