"""Faults against a live pair of sample servers under load: `make chaos`."""
