"""HTTP requests to issuers, bounded in time, size and address."""
