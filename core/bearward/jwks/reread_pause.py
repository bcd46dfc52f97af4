"""How soon a document in the shared cache is read again after a look at it was in vain.

Rule of this file: pure; the clock is an argument. Whoever can write to the cache can change the version text
as often as the fleet polls it; a process that was misled once looks again after a second, and then ever less often.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

__all__ = ["RereadPause"]

_FIRST: Final = 1.0
_LONGEST: Final = 60.0


class RereadPause:
    """Seconds, by `monotonic`, in which a document is not read again: they double with each look in vain.

    A minute without one, or a look that was worth it, and it begins anew.

    >>> pause = RereadPause(lambda: 0.0)
    >>> pause.active
    False
    >>> pause.lengthen()
    >>> pause.active
    True
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._next = _FIRST
        self._until = -math.inf

    @property
    def active(self) -> bool:
        """Whether the document is to be left alone now."""
        return self._monotonic() < self._until

    def lengthen(self) -> None:
        """A look was in vain."""
        now = self._monotonic()
        if now >= self._until + _LONGEST:
            self._next = _FIRST
        self._until = now + self._next
        self._next = min(2.0 * self._next, _LONGEST)

    def end(self) -> None:
        """A look was worth it."""
        self._until, self._next = -math.inf, _FIRST
