"""What must be reached, by suite and path: the ratio is at most this."""

from __future__ import annotations

from benchmarks.http.run import TARGETS as HTTP
from benchmarks.library.run import TARGETS as LIBRARY

__all__ = ["TARGETS"]

TARGETS: dict[str, dict[str, float]] = {"library": LIBRARY, "http": HTTP}
