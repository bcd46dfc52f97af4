"""The only boundary to time: everything else receives the time, or this object.

There are two clocks for two purposes. Claims and documents written by others are compared with the wall clock (`now`);
how long ago we did something ourselves is measured with the monotonic clock, which no time server can set. It keeps
counting while the machine is suspended: a key set that was fresh when a laptop was closed is old when it is opened.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What bearward asks of a clock. Both methods are called from any thread."""

    def now(self) -> float:
        """The wall clock: seconds since the epoch, as in RFC 7519's NumericDate."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point, never going back, and counting while the machine is suspended."""
        ...


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
