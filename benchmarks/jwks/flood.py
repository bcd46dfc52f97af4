"""100,000 forged tokens with random kids over 30 s beside 1,000 good requests a second, and a rotation in the middle.

Rules of this file: latency is the time of one `await verify`, each good request its own task; nothing is cached, so
every good request verifies a signature. Before and after the flood the same load runs without it, for the comparison.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from dataclasses import dataclass, field

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.jose.base64url import encode
from bearward.testing import LocalIssuer

__all__ = ["Flood", "flood"]

_AUDIENCE = "https://api.example"
_GOOD_RATE = 1000
_TICK = 0.005


@dataclass
class Flood:
    """What happened."""

    forged: int = 0
    good: int = 0
    good_refused: int = 0
    forged_accepted: int = 0
    fetches: int = 0
    new_key_after: float = 0.0
    quiet: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)

    def ratio(self) -> float:
        """The p99 with the flood by the p99 without."""
        return p99(self.flooded) / p99(self.quiet)


def p99(latencies: list[float]) -> float:
    """In seconds."""
    return sorted(latencies)[int(len(latencies) * 0.99)]


async def flood(seconds: float, forged: int) -> Flood:
    """The flood of so many forged tokens over so many seconds, and as long without it."""
    outcome = Flood()
    with LocalIssuer(audience=_AUDIENCE, lifetime=3600) as issuer:
        trusted = TrustedIssuer(issuer.url, audience=_AUDIENCE, jwks_uri=issuer.jwks_uri)
        async with Verifier(trusted, token_cache_bytes=0) as verifier:
            load = _Load(verifier, issuer, outcome)
            await load.run(seconds / 2, 0, outcome.quiet)
            await asyncio.sleep(2 * trusted.jwks_options.cooldown)  # the burst is saved up
            before = issuer.requests("/jwks")
            probe = asyncio.create_task(load.rotate_and_probe(seconds * 0.38))
            await load.run(seconds, forged, outcome.flooded)
            await probe
            outcome.fetches = issuer.requests("/jwks") - before
            await load.run(seconds / 2, 0, outcome.quiet)
    return outcome


class _Load:
    def __init__(self, verifier: Verifier, issuer: LocalIssuer, outcome: Flood) -> None:
        self._verifier = verifier
        self._issuer = issuer
        self._outcome = outcome
        self._good = [issuer.mint(sub=str(number)) for number in range(500)]
        self._payload_and_signature = issuer.mint().partition(".")[2]

    async def run(self, seconds: float, forged: int, latencies: list[float]) -> None:
        """Good requests at their rate, and forged ones spread among them."""
        began, done_good, done_forged = time.perf_counter(), 0, 0
        while (passed := time.perf_counter() - began) < seconds:
            calls = [self._one_good(latencies) for _ in range(int(passed * _GOOD_RATE) - done_good)]
            done_good += len(calls)
            bad = int(passed / seconds * forged) - done_forged
            done_forged += bad
            work = [*calls, *(self._one_forged() for _ in range(bad))]
            random.shuffle(work)
            await asyncio.gather(*work)
            await asyncio.sleep(_TICK)
        for _ in range(forged - done_forged):
            await self._one_forged()

    async def _one_good(self, latencies: list[float]) -> None:
        token = random.choice(self._good)
        began = time.perf_counter()
        try:
            await self._verifier.verify(token)
        except AuthError:
            self._outcome.good_refused += 1
        latencies.append(time.perf_counter() - began)
        self._outcome.good += 1

    async def _one_forged(self) -> None:
        header = encode(b'{"alg":"RS256","typ":"at+jwt","kid":"%s"}' % secrets.token_hex(8).encode()).decode()
        self._outcome.forged += 1
        try:
            await self._verifier.verify(f"{header}.{self._payload_and_signature}")
        except AuthError:
            return
        self._outcome.forged_accepted += 1

    async def rotate_and_probe(self, after: float) -> None:
        """In the middle of it, and of a cooldown, the issuer signs with a new key; the old one stays valid."""
        await asyncio.sleep(after)
        token = self._issuer.mint(key=self._issuer.rotate())
        began = time.perf_counter()
        while True:
            try:
                await self._verifier.verify(token)
                break
            except AuthError:
                await asyncio.sleep(0.05)
        self._outcome.new_key_after = time.perf_counter() - began
