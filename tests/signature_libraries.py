"""Which library verifies signatures in a test: the rules are the same by each.

Rule of this file: a test that asks for a library gets it, or fails; `--signatures` chooses one for a whole run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bearward.jose import aws_lc

__all__ = ["LIBRARIES", "signatures_by"]

LIBRARIES = ("cryptography", "aws-lc")


@contextmanager
def signatures_by(library: str) -> Iterator[None]:
    """Have keys that are made, and first used, in the block verify by `library`."""
    before = aws_lc.is_used()
    aws_lc.use(library == "aws-lc")
    assert aws_lc.is_used() == (library == "aws-lc"), "awscrt is among the dependencies of the tests"
    try:
        yield
    finally:
        aws_lc.use(before)
