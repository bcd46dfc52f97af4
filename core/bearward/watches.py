"""Watches over live calls and streams: each reports once when its token has ended.

Rules of this file: one timer and a few index entries per watch, one check at the start, nothing per message. `recheck`
decides whether a token has ended; this file only decides when to check, and reports on the event loop. Each watch
checks at least every half minute, so that nothing depends on a notification: not a clock that was set, a suspended
machine, or a resolver that nothing else asks. A revocation costs in proportion to the watches it affects.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable

from bearward.errors import AuthError
from bearward.forks import fork_safe, keep_for_parent, on_fork
from bearward.principal import Principal
from bearward.revocation.entry import Name, Revocation, names_of

__all__ = ["Watch", "Watches", "weak_listener"]

_SLICE = 100
"""How many watches check before the event loop gets to run something else."""
_AFTER_A_BUG = 1.0
"""Seconds until the next look, where one failed in an unexpected way."""
Recheck = Callable[[Principal, float], float]
"""From a principal and its leeway to the seconds for which it may be relied on; raises `AuthError` if it has ended."""


class Watch:
    """Reports once, on its event loop, when the token behind `principal` has ended; created by `Verifier.watch`."""

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
        self._timer: asyncio.Handle = self._loop.call_soon(self.look)

    @property
    def principal(self) -> Principal:
        """The caller."""
        return self._principal

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which it reports."""
        return self._loop

    def extend(self, principal: Principal) -> None:
        """Continue with a newer token's principal (in-band reauthentication); any thread may call."""
        self._watches.rename(self, principal)
        self._principal = principal
        self._loop.call_soon_threadsafe(self.look)

    def close(self) -> None:
        """Stop watching, without a report; call on the event loop. Closing twice is harmless."""
        self._watches.remove(self)
        self._timer.cancel()

    def look(self) -> None:
        """Check now: report if the token has ended, otherwise set the timer again."""
        if self not in self._watches:
            return
        try:
            valid_for = self._watches.recheck(self._principal, self._leeway)
        except AuthError as ended:
            self.close()
            self._on_end(ended)
        except Exception:
            self._set_timer(_AFTER_A_BUG)  # whatever it is: a watch that looked no more would end nothing
            raise
        else:
            self._set_timer(valid_for)

    def __repr__(self) -> str:
        return f"<Watch of {self._principal!r}, {'live' if self in self._watches else 'closed'}>"

    def _set_timer(self, valid_for: float) -> None:
        self._timer.cancel()
        # Drawn from the second half, so that calls that began together do not look together.
        self._timer = self._loop.call_later(valid_for * random.uniform(0.5, 1.0), self.look)  # noqa: S311


class Watches:
    """All live watches of a verifier, indexed by the names that a revocation can use."""

    def __init__(self, recheck: Recheck) -> None:
        self.recheck = recheck
        self._live: dict[Watch, tuple[Name, ...]] = {}
        self._named: dict[Name, set[Watch]] = {}
        self._lock = fork_safe(threading.Lock())
        on_fork(self)

    def add(self, principal: Principal, on_end: Callable[[AuthError], None], leeway: float) -> Watch:
        """A new watch, on the running event loop."""
        watch = Watch(self, principal, on_end, leeway)
        with self._lock:
            self._index(watch, principal)
        return watch

    def rename(self, watch: Watch, principal: Principal) -> None:
        """Have a live watch found by the names of another principal; any thread may call."""
        with self._lock:
            if watch in self._live:
                self._unindex(watch)
                self._index(watch, principal)

    def remove(self, watch: Watch) -> None:
        """Forget a watch."""
        with self._lock:
            if watch in self._live:
                self._unindex(watch)

    def look(self, issuer: str | None = None) -> None:
        """Have every watch check again, or those of one issuer, because something has changed; any thread may call."""
        with self._lock:
            live = list(self._live)
        self._have_look(watch for watch in live if issuer is None or watch.principal.issuer == issuer)

    def look_at(self, revocations: Iterable[Revocation] | None) -> None:
        """Have the watches check that these revocations affect, or all of them for None; any thread may call."""
        if revocations is None:
            self.look()
            return
        with self._lock:
            named = {watch for entry in revocations for watch in self._named.get(entry.key, ())}
        self._have_look(named)

    def forget_parent(self) -> None:
        """In a forked child: the calls that are watched are the parent's."""
        keep_for_parent(self._live)
        self._live, self._named = {}, {}

    @staticmethod
    def _have_look(watches: Iterable[Watch]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, deque[Watch]] = {}
        for watch in watches:
            by_loop.setdefault(watch.loop, deque()).append(watch)
        for loop, waiting in by_loop.items():
            with contextlib.suppress(RuntimeError):  # its loop is closed, and its calls with it
                loop.call_soon_threadsafe(_look_in_turn, loop, waiting)

    def _index(self, watch: Watch, principal: Principal) -> None:
        names = self._live[watch] = tuple(names_of(principal))
        for name in names:
            self._named.setdefault(name, set()).add(watch)

    def _unindex(self, watch: Watch) -> None:
        for name in self._live.pop(watch):
            watches = self._named[name]
            watches.discard(watch)
            if not watches:
                del self._named[name]

    def __repr__(self) -> str:
        return f"<Watches: {len(self._live)} live>"

    def __contains__(self, watch: Watch) -> bool:
        return watch in self._live

    def __len__(self) -> int:
        return len(self._live)


def _look_in_turn(loop: asyncio.AbstractEventLoop, waiting: deque[Watch]) -> None:
    """A few at a time, so that thousands of watches do not block the loop; one that fails leaves the others as they are."""
    try:
        for _ in range(min(_SLICE, len(waiting))):
            waiting.popleft().look()
    finally:
        if waiting:
            loop.call_soon(_look_in_turn, loop, waiting)


def weak_listener(watches: Watches) -> Callable[[tuple[Revocation, ...] | None], None]:
    """Has `watches` check what was revoked, for as long as something else holds a reference to them."""
    held = weakref.ref(watches)

    def look_at(changed: tuple[Revocation, ...] | None) -> None:
        living = held()
        if living is not None:
            living.look_at(changed)

    return look_at
