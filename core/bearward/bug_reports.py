"""What bearward logs when something in it, or in code that it calls, is broken.

Rule of this file: an exception's own text may hold a token or a claim, so a report says where and of which type it
was, and never what it said.
"""

from __future__ import annotations

import logging
import traceback

__all__ = ["report_bug"]


def report_bug(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log at ERROR that `what` went wrong: the exception's type and where it was raised, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-8:]))
    logger.error("%s: %s at %s", what, type(error).__name__, where or "an unknown place")
