"""Tests of the pure JOSE layer."""
