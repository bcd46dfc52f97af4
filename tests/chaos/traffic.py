"""Load: good and bad tokens over both transports, at a steady rate, each verdict counted.

Rules of this file: a good token is one whose key the issuer publishes and has published for longer than the servers may
take to notice; a bad one is forged, expired or meant for others, and is bad at any time.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from bearward.testing import LocalIssuer, SigningKey, tamper
from tests.chaos.transports import OK, Transports

__all__ = ["Tally", "Traffic"]

_TICK = 0.02
Call = Callable[[str], Awaitable[str]]


@dataclass
class Tally:
    """What came of the calls."""

    requests: int = 0
    good_refused: Counter[str] = field(default_factory=Counter)
    bad_accepted: Counter[str] = field(default_factory=Counter)


class Traffic:
    """Calls until it is stopped. `good` answers the good token of the moment; `bad` are makers of bad ones."""

    def __init__(self, issuer: LocalIssuer, transports: Transports, *, per_tick: int = 1) -> None:
        self._issuer = issuer
        self.transports = transports
        self._per_tick = per_tick
        self._attacker = SigningKey.generate("ES256")
        self.signing_key = issuer.key()
        """The key that good tokens are signed with."""
        self.bad: list[Callable[[], str]] = [
            self.forged_kid,
            lambda: issuer.mint(key=self._attacker, kid=self.signing_key.kid),
            lambda: issuer.mint(key=self.signing_key, expires_in=-60),
            lambda: issuer.mint(key=self.signing_key, aud="https://others.example"),
            lambda: issuer.mint(key=self.signing_key, alg="none"),
            lambda: tamper(issuer.mint(key=self.signing_key), sub="somebody else"),
        ]
        self.tally = Tally()

    def forged_kid(self) -> str:
        """A well-formed token of nobody's key, each with another `kid`."""
        return self._issuer.mint(key=self._attacker, kid=secrets.token_hex(8))

    async def run(self) -> None:
        """Go on until cancelled; calls that are under way then are awaited."""
        kinds = itertools.cycle(range(1_000_000))
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                for _ in range(self._per_tick):
                    for task in self._calls(next(kinds)):
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                await asyncio.sleep(_TICK)
        finally:
            if under_way:
                await asyncio.wait(under_way)

    def _calls(self, number: int) -> Iterator[asyncio.Task[None]]:
        bad = self.bad[number % len(self.bad)]
        for call in self.transports.calls.values():
            yield asyncio.create_task(self.good_call(call, self._issuer.mint(key=self.signing_key)))
            yield asyncio.create_task(self.bad_call(call, bad()))

    async def good_call(self, call: Call, token: str) -> None:
        """A token that must be accepted."""
        verdict = await call(token)
        self.tally.requests += 1
        if verdict != OK:
            self.tally.good_refused[verdict] += 1

    async def bad_call(self, call: Call, token: str) -> None:
        """A token that must be refused."""
        verdict = await call(token)
        self.tally.requests += 1
        if verdict == OK:
            self.tally.bad_accepted[verdict] += 1
