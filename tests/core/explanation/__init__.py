"""Tests of explanations: the order of checks, near misses, and what stays hidden."""
