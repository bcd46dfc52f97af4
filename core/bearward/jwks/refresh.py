"""One refresh: ask the fleet, else the issuer's source, within the total timeout, and answer a usable entry.

Rule of this file: whatever comes in is parsed and judged here before anything else sees it, and what does not work
out is a `FetchError`. The state of the issuer is not touched: the caller does that with the answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from bearward.clock import Clock
from bearward.fetch.client import HTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jwks.entry import Entry
from bearward.jwks.freshness import Why, clamp
from bearward.jwks.options import JWKSOptions
from bearward.jwks.source import Source, Watched

__all__ = ["Ask", "Fleet", "Refresher"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Why there is a refresh: the entry that was looked in, and for a miss the `kid` that was not in it."""

    why: Why
    held: Entry | None
    kid: str | None = None
    alone: bool = False
    """Whether the last attempt was left to another process, which failed: then this one is our own."""

    def is_older_than(self, entry: Entry) -> bool:
        """Whether `entry` is newer than the set that was tried."""
        return self.held is None or entry.fetched_at > self.held.fetched_at

    def is_met_by(self, entry: Entry, now: float) -> bool:
        """Whether an entry that another process fetched spares a request to the issuer.

        It must be newer than the set that was tried, fresh, and for a miss hold the `kid`.
        """
        if not self.is_older_than(entry):
            return False
        if now >= entry.fetched_at + entry.lifetime:
            return False
        return self.why is Why.LOOKUP or (self.kid is not None and entry.jwk_set.holds(self.kid))


_TICK = 0.001


class Fleet(Protocol):
    """What the processes that share a cache do for one another."""

    async def refresh(self, ask: Ask, fetch: FetchOne) -> Entry:
        """Answer what another process fetched, or fetch on behalf of all."""
        ...

    def state(self) -> str | None:
        """`ok`, or what is wrong with the shared cache."""
        ...

    async def newer_than(self, held: Entry | None) -> Entry | None:
        """The shared entry if it is newer than the one held."""
        ...

    @property
    def stamp_name(self) -> str:
        """Under which a short text changes whenever the shared entry does."""
        ...

    seen: str | None
    """The last such text."""


class FetchOne(Protocol):
    """Ask the issuer itself; raises `FetchError`."""

    async def __call__(self, held: Entry | None) -> Entry:
        """Fetch, conditionally where `held` allows it."""
        ...


class Refresher:
    """Refreshes one issuer's keys."""

    def __init__(
        self, source: Source, client: HTTPClient, options: JWKSOptions, clock: Clock, fleet: Fleet | None = None
    ) -> None:
        self._source = source
        self._watched = source if isinstance(source, Watched) else None
        self._client = client
        self._options = options
        self._clock = clock
        self.fleet = fleet

    async def refresh(self, ask: Ask) -> Entry:
        """Answer an entry that is newer than the one that is held.

        Raises:
            FetchError: there is none to be had at the moment.
        """
        if self.fleet is None:
            return await self.fetch(ask.held)
        return await self.fleet.refresh(ask, self.fetch)

    async def fetch(self, held: Entry | None) -> Entry:
        """Ask the issuer itself."""
        asked_at = self._clock.now()
        if held is not None:  # a wall clock that was set back does not make a new answer an old one
            asked_at = max(asked_at, held.fetched_at + _TICK)
        try:
            async with asyncio.timeout(self._options.total_timeout):
                loaded = await self._source.load(self._client, held.validators if held is not None else None)
        except TimeoutError as exc:
            raise FetchError(FetchFailure.TIMEOUT) from exc
        lifetime = clamp(loaded.lifetime, self._options)
        if loaded.document is None:
            if held is None:
                raise FetchError(FetchFailure.PROTOCOL)  # "not modified" without a condition
            if loaded.lifetime is None:  # RFC 9111 section 3.2: what a 304 does not repeat stays as it was
                lifetime = min(held.lifetime, self._options.max_age)
        document = held.document if held is not None and loaded.document is None else loaded.document or b""
        return Entry(self._read_set(document, held), document, asked_at, lifetime, loaded.validators)

    def _read_set(self, document: bytes, held: Entry | None) -> JWKSet:
        authorities = self._options.authorities
        if held is not None and document == held.document and authorities is None:
            return held.jwk_set
        try:  # with authorities the same document too: certificates expire
            return JWKSet.parse(document, authorities=authorities, now=self._clock.now())
        except JWKSetError as exc:
            raise FetchError(FetchFailure.NOT_A_KEY_SET) from exc

    def fleet_state(self) -> str | None:
        """How it stands with the shared cache; None where there is none."""
        return None if self.fleet is None else self.fleet.state()

    @property
    def watched(self) -> bool:
        """Whether the source can tell that it has something new."""
        return self._watched is not None

    async def changed(self) -> bool:
        """Whether a source that can tell has something new."""
        return self._watched is not None and await self._watched.changed()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
