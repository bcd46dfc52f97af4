"""Watches over live calls and streams: one that outlives its token is told so, once.

Rule of this file: one timer and one entry in a set per watch, one look at the beginning, nothing per message. What ends
a token (its expiry, its key's withdrawal, its revocation) is judged by the verifier; here is only the telling, on the
event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from bearward.errors import AuthError
from bearward.principal import Principal

if TYPE_CHECKING:
    from bearward.verifier import Verifier

__all__ = ["Watch", "Watches"]

_LONGEST_TIMER = 86_400.0
"""asyncio refuses timers of some decades; a watch simply looks again each day."""


class Watch:
    """Tells once, on its event loop, when the token behind `principal` has ended; made by `Verifier.watch`."""

    __slots__ = ("_leeway", "_loop", "_on_end", "_principal", "_timer", "_watches")

    def __init__(
        self, watches: Watches, principal: Principal, on_end: Callable[[AuthError], None], leeway: float
    ) -> None:
        self._watches = watches
        self._principal = principal
        self._on_end = on_end
        self._leeway = leeway
        self._loop = asyncio.get_running_loop()
        # A token may have ended since it was verified, and whoever was told of that did not know of this watch yet.
        self._timer: asyncio.Handle | None = self._loop.call_soon(self.look)

    @property
    def principal(self) -> Principal:
        """For whom the call is made."""
        return self._principal

    def extend(self, principal: Principal) -> None:
        """Go on under a newer token's principal (authentication in band); any thread may call."""
        self._principal = principal
        self._loop.call_soon_threadsafe(self.look)

    def close(self) -> None:
        """Stop watching, without telling; call on the event loop. Closing twice is harmless."""
        self._watches.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Look now: tell if the token has ended, else set the timer anew."""
        if self not in self._watches:
            return
        try:
            self._watches.verifier.check_still_valid(self._principal, leeway=self._leeway)
        except AuthError as ended:
            self.close()
            self._on_end(ended)
        else:
            self._set_timer()

    def call_soon(self) -> None:
        """Look on the event loop, soon; any thread may call."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.look)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = self._watches.verifier.seconds_until_expiry(self._principal, leeway=self._leeway)
        self._timer = self._loop.call_later(min(max(wait, 0.0), _LONGEST_TIMER), self.look)


class Watches:
    """All live watches of a verifier."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self._live: set[Watch] = set()

    def add(self, principal: Principal, on_end: Callable[[AuthError], None], leeway: float) -> Watch:
        """A new watch, on the running event loop."""
        watch = Watch(self, principal, on_end, leeway)
        self._live.add(watch)
        return watch

    def remove(self, watch: Watch) -> None:
        """Forget a watch."""
        self._live.discard(watch)

    def look(self) -> None:
        """Have every watch look again: keys or revocations have changed; any thread may call."""
        for watch in tuple(self._live):
            watch.call_soon()

    def __contains__(self, watch: Watch) -> bool:
        return watch in self._live

    def __len__(self) -> int:
        return len(self._live)
