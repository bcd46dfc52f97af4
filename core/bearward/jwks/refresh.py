"""One refresh: ask the fleet, else the issuer's source, within the total timeout, and return a usable entry.

Rule of this file: every document is parsed and checked here before anything else sees it, and every failure is a
`FetchError`. The state of the issuer is not touched: the caller updates it with the result.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bearward.cache.client import CacheError
from bearward.clock import Clock
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jose.jwk_set import JWKSet, JWKSetError, parse_in_steps
from bearward.jwks.entry import Entry
from bearward.jwks.freshness import Trigger, clamp
from bearward.jwks.options import JWKSOptions
from bearward.jwks.snapshot import Snapshot
from bearward.jwks.source import ChangeAwareSource, Loaded, Source, description
from bearward.jwks.spiffe_bundle import is_older, refresh_hint
from bearward.loop import in_turns

__all__ = ["Fetch", "Fleet", "RefreshRequest", "Refresher"]

_CLOCK_STEP = 0.001


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """Why there is a refresh: the entry that was searched, and the unknown `kid` if there is one."""

    trigger: Trigger
    held: Entry | None
    kid: str | None = None
    skip_fleet: bool = False
    """Whether the last attempt was left to another process, which failed: then this process fetches itself."""

    def is_older_than(self, entry: Entry) -> bool:
        """Whether `entry` is newer than the set that was searched."""
        return self.held is None or entry.fetched_at > self.held.fetched_at

    def is_satisfied_by(self, entry: Entry, now: float) -> bool:
        """Whether an entry that another process fetched makes a request to the issuer unnecessary.

        It must be newer than the set that was looked in, fresh, for an unknown `kid` hold it, and for a bad signature have
        other keys.
        """
        if not self.is_older_than(entry):
            return False
        if now >= entry.fetched_at + entry.lifetime:
            return False
        if self.trigger is Trigger.BAD_SIGNATURE:
            return self.held is None or entry.jwk_set.thumbprint != self.held.jwk_set.thumbprint
        return self.trigger is Trigger.LOOKUP or (self.kid is not None and entry.jwk_set.holds(self.kid))


class Fleet(Protocol):
    """What the processes that share a cache do for one another."""

    async def refresh(self, request: RefreshRequest, fetch: Fetch) -> Entry:
        """Return what another process fetched, or fetch on behalf of all."""
        ...

    def state(self) -> str | None:
        """`ok`, or what is wrong with the shared cache."""
        ...

    @property
    def is_pausing(self) -> bool:
        """Whether looks at the shared entry were in vain, so that it is not to be polled now."""
        ...

    async def newer_than(self, held: Entry | None) -> Entry | None:
        """The shared entry if it is newer than the one held."""
        ...

    @property
    def version_key(self) -> str:
        """The key in the cache whose short text changes whenever the shared entry does."""
        ...

    last_version: str | None
    """The last such text."""


class Fetch(Protocol):
    """Ask the issuer itself; raises `FetchError`."""

    async def __call__(self, held: Entry | None) -> Entry:
        """Fetch, conditionally if `held` allows it."""
        ...


def _lifetime(loaded: Loaded) -> float | None:
    """How long the document is fresh, by its response and by itself: the less of both."""
    hint = None if loaded.document is None else refresh_hint(loaded.document)
    return min((said for said in (loaded.lifetime, hint) if said is not None), default=None)


class Refresher:
    """Refreshes one issuer's keys."""

    def __init__(
        self,
        source: Source,
        client: IssuerHTTPClient,
        options: JWKSOptions,
        clock: Clock,
        *,
        fleet: Fleet | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._source = source
        self._change_aware = source if isinstance(source, ChangeAwareSource) else None
        self._client = client
        self._options = options
        self._clock = clock
        self.fleet = fleet
        self.snapshot = snapshot
        self._limit: asyncio.Timeout | None = None

    async def outcome(self, request: RefreshRequest, on_bug: Callable[[Exception], None]) -> Entry | FetchError:
        """The result of a refresh; an exception of a source other than `FetchError` is passed to `on_bug`."""
        try:
            async with asyncio.timeout(None) as self._limit:
                return await self.refresh(request)
        except FetchError as exc:
            return exc
        except TimeoutError:
            return FetchError(FetchFailure.RATE_LIMITED)
        except Exception as exc:  # noqa: BLE001  (a custom source may raise anything; it is logged)
            on_bug(exc)
            return FetchError(FetchFailure.INTERNAL)
        finally:
            self._limit = None

    @property
    def remembers(self) -> bool:
        """Whether there is a snapshot, or a cache that other processes fill."""
        return self.snapshot is not None or (self.fleet is not None and self.fleet.state() is not None)

    async def remembered(self, *, from_fleet: bool) -> Entry | None:
        """The entry of the snapshot or, if `from_fleet`, of the shared cache; the issuer is not contacted."""
        entry = None if self.snapshot is None else await self.snapshot.load()
        if entry is None and from_fleet and self.fleet is not None:
            with contextlib.suppress(CacheError):
                entry = await self.fleet.newer_than(None)
        return entry

    def give_way(self) -> None:
        """End the refresh that is in flight: another tenant needs its place."""
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def refresh(self, request: RefreshRequest) -> Entry:
        """Return an entry that is newer than the one that is held.

        Raises:
            FetchError: none is available at the moment.
        """
        if self.fleet is None:
            return await self.fetch(request.held)
        return await self.fleet.refresh(request, self.fetch)

    async def fetch(self, held: Entry | None) -> Entry:
        """Ask the issuer itself."""
        requested_at = self._clock.now()
        if held is not None:  # a wall clock that was set back does not make a new response an old one
            requested_at = max(requested_at, held.fetched_at + _CLOCK_STEP)
        try:
            async with asyncio.timeout(self._options.total_timeout):
                loaded = await self._source.load(self._client, held.validators if held is not None else None)
        except TimeoutError as exc:
            raise FetchError(FetchFailure.TIMEOUT) from exc
        entry = await self._entry(loaded, held, requested_at)
        if held is not None and self._is_usable(held) and is_older(entry.document, held.document):
            raise FetchError(FetchFailure.OLDER, url=self._origin(loaded))
        return entry

    async def _entry(self, loaded: Loaded, held: Entry | None, requested_at: float) -> Entry:
        lifetime = clamp(_lifetime(loaded), self._options)
        if loaded.document is None:
            if held is None:
                raise FetchError(FetchFailure.PROTOCOL)  # "not modified" without a condition
            if loaded.lifetime is None:  # RFC 9111 section 3.2: what a 304 does not repeat stays as it was
                lifetime = min(held.lifetime, self._options.max_age)
        document = held.document if held is not None and loaded.document is None else loaded.document or b""
        jwk_set = await self._parse(document, held, self._origin(loaded))
        return Entry(jwk_set, document, requested_at, lifetime, loaded.validators)

    def _origin(self, loaded: Loaded) -> str:
        return description(self._source) if loaded.validators is None else loaded.validators.url

    def _is_usable(self, held: Entry) -> bool:
        """Whether it may still be used; a publisher that starts its sequence anew is not refused for ever."""
        return self._clock.now() < held.fetched_at + held.lifetime + self._options.stale_if_error

    async def _parse(self, document: bytes, held: Entry | None, origin: str) -> JWKSet:
        authorities = self._options.authorities
        if held is not None and document == held.document and authorities is None:
            return held.jwk_set
        try:  # with authorities the same document too: certificates expire
            return await in_turns(parse_in_steps(document, authorities=authorities, now=self._clock.now()))
        except JWKSetError as exc:
            raise FetchError(FetchFailure.NOT_A_KEY_SET, detail=str(exc), url=origin) from exc

    def fleet_state(self) -> str | None:
        """The state of the shared cache; None if there is none."""
        return None if self.fleet is None else self.fleet.state()

    @property
    def is_change_aware(self) -> bool:
        """Whether the source can detect that it has changed."""
        return self._change_aware is not None

    async def changed(self) -> bool:
        """Whether such a source has changed."""
        return self._change_aware is not None and await self._change_aware.changed()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
