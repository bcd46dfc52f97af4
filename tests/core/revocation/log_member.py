"""What the tests of the log share: one process's view of it, on a real server."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from bearward.cache.client import SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock, SystemClock
from bearward.revocation.entry import Revocation
from bearward.revocation.log import RevocationLog
from tests.core.jwks.cache_servers import Valkey

ISSUER, SECRET, NAME = "https://login.example", b"0123456789abcdef", "bearward:revocations:test"


class Store(SharedCache):
    """The store, with something that happens in between: `before_put(key)` is awaited before each `put`."""

    def __init__(self, valkey: Valkey) -> None:
        make = backend_factory(valkey.url, timeout=5)
        assert make is not None
        super().__init__(make, SystemClock(), timeout=5)
        self.before_put: Callable[[str], Awaitable[None]] | None = None

    async def put(self, key: str, value: str, ttl: float) -> None:
        """As it is, after what happens in between."""
        if self.before_put is not None:
            await self.before_put(key)
        await super().put(key, value, ttl)


class Member:
    """One process's view of the log."""

    def __init__(self, valkey: Valkey, clock: Clock | None = None) -> None:
        self.store = Store(valkey)
        self.known: set[str] = set()
        self.log = RevocationLog(
            self.store,
            clock or SystemClock(),
            name=NAME,
            secret=SECRET,
            learn=lambda new: self.learn(new),  # noqa: PLW0108  (tests replace it)
        )

    def learn(self, new: list[Revocation]) -> None:
        """What the log hands on."""
        self.known |= {entry.name for entry in new}


def entry(name: str) -> Revocation:
    """The revocation of one token."""
    return Revocation("jti", ISSUER, name, math.inf, 4e9)
