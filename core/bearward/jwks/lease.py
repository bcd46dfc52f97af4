"""The lease under which one process of a fleet fetches, and the note that it leaves when it fails.

Rules of this file: with a secret a lease is authenticated like a document, so whoever can write to the cache cannot
hold up the fleet with one. A lease ends by the clock of the process that waits for it, whatever its time to live in the
cache; a lease that is not authentic is not waited for. After either, leases are ignored for a minute: then each process
fetches for itself.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
from enum import Enum

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.sealed import NotAuthenticError, open_sealed, seal
from bearward.clock import Clock

__all__ = ["FetchLease", "LeaseState"]

_log = logging.getLogger("bearward.jwks")

_SECONDS = 3.0
_MAX_SKEW = 30.0
_IGNORE_FOR = 60.0
_PURPOSE = "jwks lease 1"
_HELD, _FAILED = "held", "failed"


class LeaseState(Enum):
    """What a process that waits finds."""

    FREE = "free"
    HELD = "held by another process"
    FAILED = "its holder has just failed"
    FAILED_HERE = "we held it, and have just failed"
    INVALID = "not authentic, or held for too long"


class FetchLease:
    """The lease of one issuer, at `key` in the cache."""

    def __init__(self, cache: SharedCache, key: str, *, clock: Clock, secret: bytes | None) -> None:
        self.key = key
        self._cache = cache
        self._clock = clock
        self._secret = secret
        self._owner = secrets.token_hex(8)
        self._ours = ""
        self._seen: tuple[str, float] = ("", -math.inf)  # the last lease that was read, and when it was first seen
        self._ignored_until = -math.inf

    @property
    def ignored(self) -> bool:
        """Whether leases are not to be trusted at the moment."""
        return self._clock.monotonic() < self._ignored_until

    def ignore(self) -> None:
        """Waiting does not help: ignore leases for a while."""
        self._ignored_until = self._clock.monotonic() + _IGNORE_FOR

    async def acquire(self) -> bool:
        """Acquire the lease, unless it is held already."""
        text = self._text(_HELD)
        acquired = await self._cache.acquire_lease(self.key, text, _SECONDS)
        if acquired:
            self._ours = text
        return acquired

    async def release(self) -> None:
        """Give it back."""
        with contextlib.suppress(CacheError):
            await self._cache.release_lease(self.key, self._ours)

    async def note_failure(self, seconds: float) -> None:
        """Tell the others, for a limited time, that the fetch under this lease failed."""
        with contextlib.suppress(CacheError):
            await self._cache.put(self.key, self._text(_FAILED), min(_SECONDS, seconds))

    async def state(self, text: str | None) -> LeaseState:
        """What `text`, read from the cache, means now. What is invalid is removed from the cache."""
        if text is None:
            return LeaseState.FREE
        now = self._clock.monotonic()
        if text != self._seen[0]:
            self._seen = text, now
        members = self._members(text)
        if members is None or now - self._seen[1] >= _SECONDS:
            if not self.ignored:
                _log.warning("a lease in the shared cache is ignored: not authentic, or held for too long")
            self.ignore()
            with contextlib.suppress(CacheError):
                await self._cache.release_lease(self.key, text)
            return LeaseState.INVALID
        kind, owner = members
        if kind == _HELD:
            return LeaseState.HELD
        return LeaseState.FAILED_HERE if owner == self._owner else LeaseState.FAILED

    def _text(self, kind: str) -> str:
        plain = f"{kind} {self._owner} {secrets.token_hex(4)} {self._clock.now()!r}"
        if self._secret is None:
            return plain
        return seal(plain, purpose=_PURPOSE, place=self.key, secret=self._secret)

    def _members(self, text: str) -> tuple[str, str] | None:
        """Kind and owner of a lease; None for what no process of this fleet wrote just now."""
        try:
            if self._secret is not None:
                text = open_sealed(text, purpose=_PURPOSE, place=self.key, secret=self._secret)
            kind, owner, _, written = text.split(" ")
            recent = abs(self._clock.now() - float(written)) <= _SECONDS + _MAX_SKEW
        except (NotAuthenticError, ValueError):
            return None
        return (kind, owner) if recent and kind in (_HELD, _FAILED) else None
