"""Tests of the command line: the real process, its exit codes, and what it prints where."""
