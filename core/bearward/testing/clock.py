"""`MovableClock`: time that stands still until a test moves it.

Rule of this file: nothing is patched. The clock is given to a verifier (`Verifier(clock=...)`) and to an issuer, and
tells whoever waits for a moment when it was moved: live streams, watches, and keys that are due.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

__all__ = ["MovableClock"]

_Listener = Callable[[], None]


class MovableClock:
    """A `bearward.Clock` that stands still until `advance` or `set`; any thread may call.

    It begins at `now` (seconds since the epoch), by default at the present moment in whole seconds.

    >>> clock = MovableClock(1_800_000_000)
    >>> clock.advance(90)
    >>> clock.now()
    1800000090.0
    """

    def __init__(self, now: float | None = None) -> None:
        self._now = float(int(time.time()) if now is None else now)
        self._monotonic = 0.0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], _Listener | None]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made, as `advance` counts them."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass: tokens expire, keys grow old, and streams whose token has ended end.

        Raises `ValueError` for a negative number, since time does not run backwards: `set` does that.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards; set(now) sets the wall clock alone")
        with self._lock:
            self._now += seconds
            self._monotonic += seconds
        self._report()

    def set(self, now: float) -> None:
        """Set the wall clock, to an earlier moment too, as a time server does; no time passes."""
        with self._lock:
            self._now = float(now)
        self._report()

    def on_set(self, listener: _Listener) -> None:
        """Have `listener` called each time the clock was moved; a bound method is held weakly."""
        held = weakref.WeakMethod(listener) if hasattr(listener, "__self__") else (lambda: listener)
        with self._lock:
            self._listeners = [one for one in self._listeners if one() is not None]
            self._listeners.append(held)

    def _report(self) -> None:
        with self._lock:
            listeners = [one() for one in self._listeners]
        for listener in listeners:
            if listener is not None:
                listener()

    def __repr__(self) -> str:
        return f"<MovableClock {self._now:.3f}>"
