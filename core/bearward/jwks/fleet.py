"""How the processes of a fleet share the work for one issuer: one fetches, all get the set.

Rules of this file:
- A set fetched by another process makes a fetch unnecessary if it is fresh, newer than ours, and has the unknown `kid`
  if there is one; or if it arrived while we waited; or if the fleet has used up the attempts that the cooldown allows.
- One process fetches, under a lease; the others poll for its document. A lease that is not released expires.
- What was refused, or was no newer than what is held, is not read again at once: the pause grows with each such look.
- Nothing here stops verification: without the cache, or if the lease holder does not deliver, a process fetches itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import dataclass
from hashlib import sha256

from bearward.cache.client import CacheError, SharedCache
from bearward.clock import Clock
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jwks.entry import Entry, StaleEntryError
from bearward.jwks.freshness import Trigger
from bearward.jwks.lease import FetchLease, LeaseState
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Fetch, RefreshRequest
from bearward.jwks.reread_pause import RereadPause
from bearward.jwks.stored_entry import Stored, StoredDocumentError, max_text, pack, unpack_in_steps
from bearward.loop import in_turns

__all__ = ["IssuerFleet"]

_log = logging.getLogger("bearward.jwks")

_POLL_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class _CacheKeys:
    """Short, and the same for all processes with the same issuer and source."""

    document: str
    version: str
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
        self._keys = _CacheKeys(f"bearward:{digest}:set", f"bearward:{digest}:at", f"bearward:{digest}:lease")
        self._cache = cache
        self._issuer = issuer
        self._options = options
        self._clock = clock
        self._secret = secret
        self._rejected = ""
        self._lease = FetchLease(cache, self._keys.lease, clock=clock, secret=secret)
        self._max_bytes = max_text(options.max_body)
        self._pause = RereadPause(clock.monotonic)
        self._last_seen = (-math.inf, -math.inf)  # when the last document was fetched, and when we first saw it
        self.last_version: str | None = None
        """The last version that was read."""

    @property
    def version_key(self) -> str:
        """The key in the cache whose short text changes whenever the document does."""
        return self._keys.version

    def state(self) -> str | None:
        """`ok`, or what is wrong with the shared cache; None if it is the process's own memory."""
        if self._cache.local:
            return None
        return self._cache.state if self._cache.state != "ok" else self._rejected or "ok"

    async def refresh(self, request: RefreshRequest, fetch: Fetch) -> Entry:
        """Return what another process fetched, or fetch on behalf of all.

        Raises:
            FetchError: there is none; a `StaleEntryError` has an older one of the fleet, if nothing newer is held.
        """
        try:
            found = await self._read()
        except CacheError:
            return await fetch(request.held)
        if found is not None and self._makes_fetch_unnecessary(found, request):
            return found.entry
        try:
            return await self._fetch_under_lease(request, fetch, found)
        except FetchError as exc:
            if found is None or not request.is_older_than(found.entry):
                raise
            raise StaleEntryError(exc, found.entry) from exc

    @property
    def is_pausing(self) -> bool:
        """Whether looks at the shared entry were in vain, so that it is not to be polled now."""
        return self._pause.active

    async def newer_than(self, held: Entry | None) -> Entry | None:
        """The shared entry if it is newer than the one held; raises `CacheError`."""
        found = await self._read()
        if found is None or (held is not None and found.entry.fetched_at <= held.fetched_at):
            self._pause.lengthen()
            return None
        self._pause.end()
        return found.entry

    async def publish(self, entry: Entry, permits: float) -> None:
        """Store an entry for the others."""
        ttl = entry.lifetime + self._options.stale_if_error
        text = pack(Stored(entry, permits), name=self._keys.document, issuer=self._issuer, secret=self._secret)
        if len(text.encode("utf-8", "surrogatepass")) > self._max_bytes:  # no other process would take it
            return
        version = _version(entry)
        with contextlib.suppress(CacheError):
            await self._cache.put(self._keys.document, text, ttl)
            await self._cache.put(self._keys.version, version, ttl)
            self.last_version = version

    async def _fetch_under_lease(self, request: RefreshRequest, fetch: Fetch, first: Stored | None) -> Entry:
        """Fetch under the lease, or wait for the process that does."""
        monotonic = self._clock.monotonic
        give_up = monotonic() + self._options.total_timeout
        try:
            while not self._lease.ignored:
                if await self._lease.acquire():
                    return await self._fetch_for_all(request, fetch, first)
                await asyncio.sleep(_POLL_INTERVAL)
                found = await self._result_of_lease_holder(request, first)
                if found is not None:
                    return found.entry
                if monotonic() >= give_up:
                    self._lease.ignore()
        except CacheError:
            pass
        entry = await fetch(request.held)
        await self.publish(entry, self._permits_left(first, request.trigger))
        return entry

    async def _result_of_lease_holder(self, request: RefreshRequest, first: Stored | None) -> Stored | None:
        """What the holder of the lease has stored; None while there is nothing."""
        lease, found = await self._lease_and_document()
        if (
            found is not None
            and (_is_newer(found, first) or self._makes_fetch_unnecessary(found, request))
            and request.is_older_than(found.entry)
        ):
            return found
        state = await self._lease.state(lease)
        if state is LeaseState.FAILED_HERE or (state is LeaseState.FAILED and self._fetches_after_failure(request)):
            raise CacheError("the holder of the lease failed a moment ago")
        if state is LeaseState.FAILED:
            raise FetchError(FetchFailure.PEER_FAILED)
        return None

    async def _lease_and_document(self) -> tuple[str | None, Stored | None]:
        """The text of the lease and, unless looks at it were in vain, the document."""
        keys = [self._keys.lease] if self._pause.active else [self._keys.lease, self._keys.document]
        lease, *texts = await self._cache.get(keys, max_bytes=self._max_bytes)
        found = await self._decode(texts[0]) if texts else None
        if found is None and any(text is not None for text in texts):
            self._pause.lengthen()
        return lease, found

    @staticmethod
    def _fetches_after_failure(request: RefreshRequest) -> bool:
        """Whether a failure of another process does not keep this one from fetching: it holds nothing, or has waited once."""
        return request.held is None or request.skip_fleet

    async def _fetch_for_all(self, request: RefreshRequest, fetch: Fetch, first: Stored | None) -> Entry:
        failed = False
        try:
            found = await self._read()  # the last holder may have finished a moment ago
            if found is not None and _is_newer(found, first) and request.is_older_than(found.entry):
                return found.entry
            entry = await fetch(_newest(request.held, found))
            await self.publish(entry, self._permits_left(found, request.trigger))
            return entry
        except FetchError:
            failed = True
            raise
        finally:
            if failed:
                await self._lease.note_failure(self._options.cooldown)
            else:
                await self._lease.release()

    async def _read(self) -> Stored | None:
        (text,) = await self._cache.get([self._keys.document], max_bytes=self._max_bytes)
        return await self._decode(text)

    async def _decode(self, text: str | None) -> Stored | None:
        if text is None:
            return None
        try:
            steps = unpack_in_steps(
                text,
                name=self._keys.document,
                issuer=self._issuer,
                secret=self._secret,
                now=self._clock.now(),
                max_age=self._options.max_age,
                max_body=self._options.max_body,
                authorities=self._options.authorities,
            )
            stored = await in_turns(steps)
        except StoredDocumentError as exc:
            if not self._rejected:
                _log.warning("a document in the shared cache was rejected (%s): %s", exc, self._issuer)
            self._rejected = f"rejected a document: {exc}"
            return None
        self._rejected = ""
        self.last_version = _version(stored.entry)
        if stored.entry.fetched_at != self._last_seen[0]:
            self._last_seen = stored.entry.fetched_at, self._clock.monotonic()
        return stored

    def _makes_fetch_unnecessary(self, found: Stored, request: RefreshRequest) -> bool:
        """Whether what is there already makes a fetch unnecessary."""
        if request.is_satisfied_by(found.entry, self._clock.now()):
            return True
        if request.trigger is Trigger.LOOKUP or self._cache.local:  # within a process each verifier has its own limit
            return False
        if request.held is not None and found.entry.fetched_at < request.held.fetched_at:
            return False
        if request.trigger is Trigger.BAD_SIGNATURE:
            return self._seconds_since(found) < self._options.cooldown
        return (
            self._permits(found) < 1.0
        )  # also where the set that was looked in is the one that the fleet has just fetched

    def _permits(self, found: Stored | None) -> float:
        """How many attempts the fleet has now: the bucket of the state machine, stored in the document."""
        burst = float(self._options.burst)
        if found is None or self._options.cooldown == 0:
            return burst
        return min(burst, max(0.0, found.permits) + self._seconds_since(found) / self._options.cooldown)

    def _seconds_since(self, found: Stored) -> float:
        """Since it was fetched; by our own clock too: another's may be ahead, and must not delay us for longer."""
        return max(0.0, self._clock.now() - found.entry.fetched_at, self._clock.monotonic() - self._last_seen[1])

    def _permits_left(self, found: Stored | None, trigger: Trigger) -> float:
        taken = 0.0 if trigger is Trigger.BAD_SIGNATURE else 1.0
        return max(0.0, self._permits(found) - taken)


def _is_newer(found: Stored, first: Stored | None) -> bool:
    return first is None or found.entry.fetched_at > first.entry.fetched_at


def _newest(held: Entry | None, found: Stored | None) -> Entry | None:
    """For a conditional request: whichever is newer."""
    if found is None or (held is not None and held.fetched_at >= found.entry.fetched_at):
        return held
    return found.entry


def _version(entry: Entry) -> str:
    return f"{entry.fetched_at!r} {entry.jwk_set.thumbprint}"
