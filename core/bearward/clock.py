"""The only boundary to time: everything else receives the time, or this object.

There are two clocks for two purposes. Claims and documents written by others are compared with the wall clock (`now`);
how long ago we did something ourselves is measured with the monotonic clock, which no time server can set. It keeps
counting while the machine is suspended: a key set that was fresh when a laptop was closed is old when it is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "SettableClock", "SystemClock", "on_clock_set", "timestamp"]


class Clock(Protocol):
    """What bearward asks of a clock. Both methods are called from any thread."""

    def now(self) -> float:
        """The wall clock: seconds since the epoch, as in RFC 7519's NumericDate."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point, never going back, and counting while the machine is suspended."""
        ...


@runtime_checkable
class SettableClock(Protocol):
    """A clock that reports when it was set, so that whatever waits for a moment can check whether it has come."""

    def on_set(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, in any thread, each time the clock was set; a bound method is held weakly."""
        ...


def on_clock_set(clock: object, listener: Callable[[], None]) -> None:
    """Have `listener` called each time `clock` was set, if it is one that says so; timers measure real time."""
    if isinstance(clock, SettableClock):
        clock.on_set(listener)


class SystemClock:
    """The clocks of the operating system."""

    __slots__ = ()

    now: staticmethod[[], float] = staticmethod(time.time)
    # Linux: CLOCK_MONOTONIC stands still while the machine is suspended. macOS: it does not, but `time.monotonic` does.
    monotonic: staticmethod[[], float] = staticmethod(
        partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
        if hasattr(time, "clock_gettime")
        else time.monotonic
    )


def timestamp(seconds: float) -> str:
    """A moment in seconds since the epoch, by RFC 3339, in UTC.

    >>> timestamp(1_700_000_000.25)
    '2023-11-14T22:13:20.250Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
