"""The one boundary to time: everything else is handed the time, or this.

Two clocks, because they answer two questions. Claims and documents that others wrote are compared with the wall clock
(`now`); how long ago we did something ourselves is measured with the monotonic clock, which no time server can set.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What bearward asks of a clock. Both methods are called from any thread."""

    def now(self) -> float:
        """The wall clock: seconds since the epoch, as in RFC 7519's NumericDate."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point, never going back."""
        ...


class SystemClock:
    """The clocks of the operating system."""

    __slots__ = ()

    now: staticmethod[[], float] = staticmethod(time.time)
    monotonic: staticmethod[[], float] = staticmethod(time.monotonic)
