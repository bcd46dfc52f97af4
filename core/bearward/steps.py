"""Work that is done step by step: at once, or, on an event loop, with room for others in between (pure).

Rule of this file: the same generator serves both, so that both do the same.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

__all__ = ["Steps", "at_once"]

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Yields after each step, and returns the result."""


def at_once(steps: Steps[T]) -> T:
    """The result of all steps.

    >>> def count():
    ...     yield
    ...     yield
    ...     return 2
    >>> at_once(count())
    2
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
