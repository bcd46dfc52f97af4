"""The JWKS store: keys fetched, kept fresh, shared by a fleet, and there when the issuer is not."""
