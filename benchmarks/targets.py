"""What must be reached, by suite and path."""

from __future__ import annotations

from typing import Any

from benchmarks.http import run as http
from benchmarks.library import run as library

__all__ = ["bound", "reached"]

_AT_MOST: dict[str, float] = {**library.TARGETS, **http.TARGETS}
_AT_LEAST: dict[str, float] = {**library.AT_LEAST, **http.AT_LEAST}
_MICROSECONDS: dict[str, float] = library.MICROSECONDS


def bound(path: str) -> str:
    """What is wanted of a path, for a table; empty if nothing is."""
    if path in _AT_LEAST:
        return f"at least {_AT_LEAST[path]:.2f}"
    if path in _MICROSECONDS:
        return f"at most {_AT_MOST[path]:.2f} or {_MICROSECONDS[path]} µs"
    return f"at most {_AT_MOST[path]:.2f}" if path in _AT_MOST else ""


def reached(path: str, figure: dict[str, Any]) -> bool:
    """Whether a figure is what is wanted of its path."""
    ratio: float = figure["ratio"]
    if path in _AT_LEAST:
        return ratio >= _AT_LEAST[path]
    in_time = path in _MICROSECONDS and figure["microseconds"] <= _MICROSECONDS[path]
    return in_time or ratio <= _AT_MOST[path]
