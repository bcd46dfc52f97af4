"""HTTP to issuers: within bounds of time, size and address."""
