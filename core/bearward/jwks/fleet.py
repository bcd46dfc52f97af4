"""What the processes of a fleet do for one another about one issuer: one fetches, all get the set.

Rules of this file:
- What another fetched spares a fetch if it is newer than the set that was tried, and fresh, and for a miss holds the
  `kid`; or if it came in while we waited; or if the fleet has used up the attempts that the cooldown allows.
- One process fetches, under a lease; the others look for its document. A lease that is not given back runs out.
- All of it fails open: without the cache, or if nothing comes of the lease, a process fetches by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
from dataclasses import dataclass
from hashlib import sha256

from bearward.cache.client import CacheError, SharedCache
from bearward.clock import Clock
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jwks.entry import Entry, StaleEntryError
from bearward.jwks.freshness import Why
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Ask, FetchOne
from bearward.jwks.stored_entry import Stored, StoredDocumentError, pack, unpack

__all__ = ["IssuerFleet"]

_log = logging.getLogger("bearward.jwks")

_LEASE = 3.0
_LOOK_EVERY = 0.05
_DISTRUST = 60.0
_FAILED = "failed "


@dataclass(frozen=True, slots=True)
class _Names:
    """The keys in the cache: short, and the same for all processes with the same issuer and source."""

    document: str
    stamp: str
    lease: str


class IssuerFleet:
    """One issuer's documents in the shared cache. `secret` authenticates them."""

    def __init__(
        self,
        cache: SharedCache,
        issuer: str,
        *,
        source: str,
        options: JWKSOptions,
        clock: Clock,
        secret: bytes | None,
    ) -> None:
        digest = sha256(f"{issuer}\x00{source}".encode()).hexdigest()[:32]
        self._names = _Names(f"bearward:{digest}:set", f"bearward:{digest}:at", f"bearward:{digest}:lease")
        self._cache = cache
        self._issuer = issuer
        self._options = options
        self._clock = clock
        self._secret = secret
        self._refused = ""
        self._distrusted_until = -math.inf
        self._met = (-math.inf, -math.inf)  # when the last document was fetched, and since when we know it
        self.seen: str | None = None
        """The last stamp that was looked at."""
        self._owner = secrets.token_hex(8)

    @property
    def stamp_name(self) -> str:
        """Under which a short text changes whenever the document does."""
        return self._names.stamp

    def state(self) -> str | None:
        """`ok`, or what is wrong with the shared cache; None where it is the process's own memory."""
        if self._cache.local:
            return None
        return self._cache.state if self._cache.state != "ok" else self._refused or "ok"

    async def refresh(self, ask: Ask, fetch: FetchOne) -> Entry:
        """Answer what another process fetched, or fetch on behalf of all.

        Raises:
            FetchError: there is none; a `StaleEntryError` has an older one of the fleet, for who holds nothing newer.
        """
        try:
            found = await self._read()
        except CacheError:
            return await fetch(ask.held)
        if found is not None and self._spares(found, ask):
            return found.entry
        try:
            return await self._take_turns(ask, fetch, found)
        except FetchError as exc:
            if found is None or not ask.is_older_than(found.entry):
                raise
            raise StaleEntryError(exc, found.entry) from exc

    async def newer_than(self, held: Entry | None) -> Entry | None:
        """The shared entry if it is newer than the one held; raises `CacheError`."""
        found = await self._read()
        if found is None or (held is not None and found.entry.fetched_at <= held.fetched_at):
            return None
        return found.entry

    async def publish(self, entry: Entry, tokens: float) -> None:
        """Let the others have an entry."""
        ttl = entry.lifetime + self._options.stale_if_error
        text = pack(Stored(entry, tokens), name=self._names.document, issuer=self._issuer, secret=self._secret)
        stamp = f"{entry.fetched_at!r} {entry.jwk_set.thumbprint}"
        with contextlib.suppress(CacheError):
            await self._cache.put(self._names.document, text, ttl)
            await self._cache.put(self._names.stamp, stamp, ttl)
            self.seen = stamp

    async def _take_turns(self, ask: Ask, fetch: FetchOne, first: Stored | None) -> Entry:
        """Fetch under the lease, or wait for the one who does."""
        monotonic = self._clock.monotonic
        give_up = monotonic() + self._options.total_timeout
        try:
            while monotonic() >= self._distrusted_until:
                if await self._cache.claim(self._names.lease, self._owner, _LEASE):
                    return await self._fetch_for_all(ask, fetch, first)
                await asyncio.sleep(_LOOK_EVERY)
                found = await self._news(ask, first)
                if found is not None:
                    return found.entry
                if monotonic() >= give_up:
                    self._distrusted_until = monotonic() + _DISTRUST
        except CacheError:
            pass
        entry = await fetch(ask.held)
        await self.publish(entry, self._tokens_left(first))
        return entry

    async def _news(self, ask: Ask, first: Stored | None) -> Stored | None:
        """What came in while we wait for the holder of the lease."""
        lease, text = await self._cache.get([self._names.lease, self._names.document])
        found = self._judge(text)
        if (
            found is not None
            and (_is_newer(found, first) or self._spares(found, ask))
            and ask.is_older_than(found.entry)
        ):
            return found
        if lease is not None and lease.startswith(_FAILED):
            if ask.held is None or ask.alone or lease == _FAILED + self._owner:
                raise CacheError("somebody failed a moment ago: try it alone")
            raise FetchError(FetchFailure.PEER_FAILED)
        return None

    async def _fetch_for_all(self, ask: Ask, fetch: FetchOne, first: Stored | None) -> Entry:
        failed = False
        try:
            found = await self._read()  # the last holder may have finished a moment ago
            if found is not None and _is_newer(found, first) and ask.is_older_than(found.entry):
                return found.entry
            entry = await fetch(_newest(ask.held, found))
            await self.publish(entry, self._tokens_left(found))
            return entry
        except FetchError:
            failed = True
            raise
        finally:
            with contextlib.suppress(CacheError):
                if failed:
                    await self._cache.put(self._names.lease, _FAILED + self._owner, min(_LEASE, self._options.cooldown))
                else:
                    await self._cache.release(self._names.lease, self._owner)

    async def _read(self) -> Stored | None:
        return self._judge((await self._cache.get([self._names.document]))[0])

    def _judge(self, text: str | None) -> Stored | None:
        if text is None:
            return None
        try:
            stored = unpack(
                text,
                name=self._names.document,
                issuer=self._issuer,
                secret=self._secret,
                now=self._clock.now(),
                max_age=self._options.max_age,
                authorities=self._options.authorities,
            )
        except StoredDocumentError as exc:
            if not self._refused:
                _log.warning("a document in the shared cache was refused (%s): %s", exc, self._issuer)
            self._refused = f"refused a document: {exc}"
            return None
        self._refused = ""
        if stored.entry.fetched_at != self._met[0]:
            self._met = stored.entry.fetched_at, self._clock.monotonic()
        return stored

    def _spares(self, found: Stored, ask: Ask) -> bool:
        """Whether what is there already spares a fetch."""
        if ask.is_met_by(found.entry, self._clock.now()):
            return True
        if ask.why is Why.LOOKUP or self._cache.local:  # within a process each verifier has its own brake
            return False
        if ask.held is not None and found.entry.fetched_at < ask.held.fetched_at:
            return False
        return self._tokens(found) < 1.0  # also where the set that was tried is the one that the fleet has just fetched

    def _tokens(self, found: Stored | None) -> float:
        """How many attempts the fleet has now: the bucket of the state machine, kept in the document."""
        burst = float(self._options.burst)
        if found is None or self._options.cooldown == 0:
            return burst
        # by our own clock too: another's may go before it, and must not hold us up for longer
        since = max(0.0, self._clock.now() - found.entry.fetched_at, self._clock.monotonic() - self._met[1])
        return min(burst, max(0.0, found.tokens) + since / self._options.cooldown)

    def _tokens_left(self, found: Stored | None) -> float:
        return max(0.0, self._tokens(found) - 1.0)


def _is_newer(found: Stored, first: Stored | None) -> bool:
    return first is None or found.entry.fetched_at > first.entry.fetched_at


def _newest(held: Entry | None, found: Stored | None) -> Entry | None:
    """For a conditional request: whichever is newer."""
    if found is None or (held is not None and held.fetched_at >= found.entry.fetched_at):
        return held
    return found.entry
