"""The documentation site: `docs/` and what is read from the code, made into pages that need no network."""
