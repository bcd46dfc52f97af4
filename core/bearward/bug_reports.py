"""What bearward logs when there is a bug in it, or in code that it calls.

Rules of this file: the text of an exception may hold a token or a claim, so a report has the type and the place of the
exception, but never its text. A bug may show with every request, so the same report is written only a few times a
minute, and the next one says how many were left out. A report never raises: it is made where something failed already.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback

from bearward.clock import SystemClock
from bearward.forks import fork_safe

__all__ = ["forget_reports", "report_bug"]

_MAX_PER_MINUTE = 10
_MAX_PLACES = 256
_monotonic = SystemClock().monotonic
_lock = fork_safe(threading.Lock())
_written: dict[tuple[str, str], tuple[float, int]] = {}  # since when, and how often since then


def report_bug(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log at ERROR that `what` went wrong: the exception's type and where it was raised, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-8:]))
    omitted = _omitted(logger.name, f"{type(error).__name__} {where}")
    if omitted is None:
        return
    more = f" ({omitted} more like it were not logged)" if omitted else ""
    with contextlib.suppress(
        Exception
    ):  # of a handler or a filter of the program's: there is no better place to say so
        logger.error("%s: %s at %s%s", what, type(error).__name__, where or "an unknown place", more)


def forget_reports() -> None:
    """Write every report again, whatever was written in the last minute."""
    with _lock:
        _written.clear()


def _omitted(logger: str, where: str) -> int | None:
    """How many like it were left out before; None if this one is to be left out too."""
    now = _monotonic()
    with _lock:
        since, count = _written.pop((logger, where), (now, 0))
        started_anew = now - since >= 60.0
        _written[logger, where] = (now, 1) if started_anew else (since, count + 1)
        if len(_written) > _MAX_PLACES:
            del _written[next(iter(_written))]
    if started_anew:
        return max(0, count - _MAX_PER_MINUTE)
    return 0 if count < _MAX_PER_MINUTE else None
