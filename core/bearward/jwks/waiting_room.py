"""Where callers wait for a flight: a bounded number of them, each free to go without ending it."""

from __future__ import annotations

import asyncio

__all__ = ["WaitingRoom"]


class WaitingRoom:
    """At most `most` callers wait at a time."""

    __slots__ = ("_most", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether the next one would be turned away. Any thread may ask."""
        return self._waiting >= self._most

    async def wait_for(self, flight: asyncio.Task[None] | None) -> bool:
        """Wait until it has landed; False at once where there is none, or no room."""
        if flight is None or self.full:
            return False
        self._waiting += 1
        try:
            await asyncio.wait((flight,))  # a cancelled waiter leaves the flight alone
        finally:
            self._waiting -= 1
        return True
