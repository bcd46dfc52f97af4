"""Profiles: what each lets in and keeps out, as tables of tokens."""
