"""Tests of the JWKS store."""
