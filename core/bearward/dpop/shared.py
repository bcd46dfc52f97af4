"""Used DPoP proofs that a fleet shares through aiocache: a proof is accepted once, whichever server receives it.

Rules of this file: one atomic `add` and one round trip for each proof. A name in the store is an HMAC of the key's
thumbprint and the `jti` with the fleet's secret, so that whoever can read the store learns nothing, and whoever can
write to it cannot invalidate a proof without having seen it. While the store fails, the operator's choice applies
(`on_failure`); what this process has seen is always remembered here.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, Final, Literal

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock, SystemClock
from bearward.dpop.proof import Proof
from bearward.dpop.replay import LocalReplays, Replays
from bearward.errors import AuthError, ConfigurationError
from bearward.refusals import Refusal

__all__ = ["SharedReplays"]

_LABEL: Final = b"bearward DPoP replay 1"
_TIMEOUT = 0.5
_PAUSE = 0.25
_LEAST_SECRET = 16
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLOCKS_DIFFER = 10.0
"""Seconds that an entry outlives its proof: clocks of a fleet differ, and memcached counts whole seconds."""


class SharedReplays(Replays):
    """Used proofs, shared through Redis, Valkey or memcached.

    `cache` is an aiocache URL or an aiocache backend. `on_failure` decides what happens while the store does not
    respond: `"refuse"` refuses all proofs (DPOP_UNAVAILABLE), `"accept"` relies on what this process has seen. All
    servers of a fleet need the same `cache_secret`, at least 16 bytes; with None, whoever can write to the store and
    has seen a proof can invalidate it. Fleets with different `name`s do not share proofs. `local` is the memory of this
    process. Raises `ConfigurationError`.

    >>> SharedReplays(cache="redis://cache:6379/0", on_failure="refuse", cache_secret=b"0123456789abcdef")
    <SharedReplays: store ok, refusing all proofs while it fails>
    """

    def __init__(
        self,
        *,
        cache: str | Any,
        on_failure: Literal["refuse", "accept"],
        cache_secret: bytes | None,
        name: str = "default",
        local: LocalReplays | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check(on_failure, cache_secret, name)
        make = backend_factory(cache, timeout=_TIMEOUT) if isinstance(cache, str) else lambda: cache
        if make is None:
            raise ConfigurationError("cache", "must be a store that the fleet shares; without one, use LocalReplays")
        self._refuse = on_failure == "refuse"
        self._local = local or LocalReplays()
        self._cache = SharedCache(make, clock or SystemClock(), timeout=_TIMEOUT, pause=_PAUSE, purpose="DPoP proofs")
        self._prefix = f"bearward:dpop:{name}:"
        self._key = hmac.digest(cache_secret or b"", _LABEL, "sha256")

    @property
    def is_shared(self) -> bool:
        """Always."""
        return True

    def record_now(self, proof: Proof, now: float) -> None:
        """Record a proof in this process alone."""
        self._local.record_now(proof, now)

    async def record(self, proof: Proof, now: float) -> None:
        """Record a proof for the fleet; raise `AuthError` (DPOP_REPLAYED, DPOP_UNAVAILABLE)."""
        self._local.check_now(proof, now)  # what this process knows costs the store nothing, and its bounds hold there
        if not await self._is_new(proof, now):
            raise AuthError(Refusal.DPOP_REPLAYED)
        # Also where the store knew nothing of it: a store that lost its memory is caught by ours.
        self._local.record_now(proof, now)

    async def aclose(self) -> None:
        """Close the connections; the next proof opens new ones."""
        await self._cache.aclose()

    async def _is_new(self, proof: Proof, now: float) -> bool:
        lives = max(0.0, proof.expires_at - now) + _CLOCKS_DIFFER
        try:
            return await self._cache.add_if_absent(self._place(proof), "1", lives)
        except CacheError:
            if self._refuse:
                raise AuthError(Refusal.DPOP_UNAVAILABLE, retry_after=1.0) from None
            return True

    def _place(self, proof: Proof) -> str:
        return self._prefix + hmac.digest(self._key, f"{proof.jkt} {proof.jti}".encode(), "sha256").hex()

    def __repr__(self) -> str:
        choice = "refusing all proofs" if self._refuse else "accepting what this process has not seen"
        return f"<SharedReplays: store {self._cache.state}, {choice} while it fails>"


def _check(on_failure: object, secret: object, name: object) -> None:
    if on_failure not in ("refuse", "accept"):
        raise ConfigurationError("on_failure", 'must be "refuse" or "accept"')
    if secret is not None and (not isinstance(secret, bytes) or len(secret) < _LEAST_SECRET):
        raise ConfigurationError("cache_secret", f"must be at least {_LEAST_SECRET} bytes, the same for the fleet")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError("name", "must be 1 to 64 letters, digits, dots, dashes and underscores")
