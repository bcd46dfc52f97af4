"""Which DPoP proofs have been used (RFC 9449 section 11.1), in this process.

Rules of this file: a proof is identified by the digest of its key's thumbprint and its `jti`. It is recorded last,
after all other checks, so that filling the memory takes a key and a token of one's own. It is remembered until it can
no longer be accepted (`iat` plus the window), never for less: when the memory is full, new proofs are refused and old
ones are kept. Any thread may record.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from hashlib import sha256

from bearward.dpop.policy import DPoP
from bearward.dpop.proof import Proof
from bearward.errors import AuthError, ConfigurationError
from bearward.forks import fork_safe
from bearward.refusals import Refusal

__all__ = ["LocalReplays", "Replays", "checked_dpop"]

_SLOT = 4.0  # seconds: what expires within the same four seconds is forgotten together
_SHA256 = sha256()


class Replays(ABC):
    """A record of used proofs."""

    @property
    @abstractmethod
    def is_shared(self) -> bool:
        """Whether `record` has to be awaited; otherwise `record_now` does the same."""

    @abstractmethod
    def record_now(self, proof: Proof, now: float) -> None:
        """Record a proof in this process; raise `AuthError` (DPOP_REPLAYED, DPOP_UNAVAILABLE)."""

    async def record(self, proof: Proof, now: float) -> None:
        """Record a proof wherever others must know it; raise `AuthError` (DPOP_REPLAYED, DPOP_UNAVAILABLE)."""
        self.record_now(proof, now)

    async def aclose(self) -> None:  # noqa: B027  (most have nothing to close)
        """Close connections; recorded proofs are kept."""


class LocalReplays(Replays):
    """The memory of one process: at most `max_proofs` in all, and `max_proofs_per_key` of one key.

    With the defaults and a window of 60 seconds one client may make about 800 calls a second, and an entry takes some
    250 bytes. Raises `ConfigurationError`.

    >>> replays, proof = LocalReplays(), Proof("thumbprint", "jti", issued_at=1000.0, expires_at=1060.0)
    >>> replays.record_now(proof, 1001.0)
    >>> replays.record_now(proof, 1002.0)
    Traceback (most recent call last):
        ...
    bearward.errors.AuthError: the DPoP proof was used before
    """

    __slots__ = (
        "_by_slot",
        "_forgotten_until",
        "_lock",
        "_of_key",
        "_prune_at",
        "_used",
        "max_per_key",
        "max_proofs",
    )

    def __init__(self, *, max_proofs: int = 500_000, max_proofs_per_key: int = 50_000) -> None:
        for name, value in (("max_proofs", max_proofs), ("max_proofs_per_key", max_proofs_per_key)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"replays.{name}", "must be a whole number, 1 or more")
        self.max_proofs: int = max_proofs
        self.max_per_key: int = max_proofs_per_key
        self._lock = fork_safe(threading.Lock())
        self._used: set[bytes] = set()
        self._of_key: dict[str, int] = {}
        self._by_slot: dict[int, list[tuple[bytes, str]]] = {}
        self._prune_at = -math.inf
        self._forgotten_until = -math.inf

    @property
    def is_shared(self) -> bool:
        """Always false: it is recorded in this process only."""
        return False

    def record_now(self, proof: Proof, now: float) -> None:
        """Record a proof; raise `AuthError`.

        DPOP_REPLAYED: it was used before. DPOP_PROOF_EXPIRED: it is so old that its record was dropped (a clock was set
        back). DPOP_UNAVAILABLE: the memory is full, for this key or in total.
        """
        digest, jkt, expires = _digest(proof), proof.jkt, proof.expires_at
        with self._lock:
            self._check(digest, proof, now)
            self._used.add(digest)
            self._of_key[jkt] = self._of_key.get(jkt, 0) + 1
            slot = int(expires // _SLOT)
            try:
                self._by_slot[slot].append((digest, jkt))
            except KeyError:
                self._by_slot[slot] = [(digest, jkt)]

    def check_now(self, proof: Proof, now: float) -> None:
        """Raise as `record_now` would, and record nothing."""
        with self._lock:
            self._check(_digest(proof), proof, now)

    def _check(self, digest: bytes, proof: Proof, now: float) -> None:
        if now >= self._prune_at:
            self._prune(now)
        if digest in self._used:
            raise AuthError(Refusal.DPOP_REPLAYED)
        if proof.expires_at <= self._forgotten_until:
            raise AuthError(Refusal.DPOP_PROOF_EXPIRED)
        if len(self._used) >= self.max_proofs or self._of_key.get(proof.jkt, 0) >= self.max_per_key:
            raise AuthError(Refusal.DPOP_UNAVAILABLE, retry_after=_SLOT)

    def _prune(self, now: float) -> None:
        """Forget what expired in slots that are over."""
        current = int(now // _SLOT)
        for slot in [slot for slot in self._by_slot if slot < current]:
            for digest, jkt in self._by_slot.pop(slot):
                self._used.discard(digest)
                left = self._of_key[jkt] - 1
                if left:
                    self._of_key[jkt] = left
                else:
                    del self._of_key[jkt]
        self._prune_at = (current + 1) * _SLOT
        self._forgotten_until = max(self._forgotten_until, current * _SLOT)

    def __len__(self) -> int:
        return len(self._used)

    def __bool__(self) -> bool:
        return True  # an empty memory is a memory all the same

    def __repr__(self) -> str:
        return f"<LocalReplays: {len(self)} proofs, in this process only>"


def _digest(proof: Proof) -> bytes:
    """What a proof is known by: 16 octets of the SHA-256 of its key's thumbprint and its `jti`."""
    digest = _SHA256.copy()
    digest.update(f"{proof.jkt} {proof.jti}".encode())  # a thumbprint has no space
    return digest.digest()[:16]


def checked_dpop(dpop: object, replays: object) -> DPoP | None:
    """The policy as given; raises `ConfigurationError` if one of the two is something else."""
    if dpop is not None and not isinstance(dpop, DPoP):
        raise ConfigurationError("dpop", "must be a DPoP policy, or None")
    if replays is not None and not isinstance(replays, Replays):
        raise ConfigurationError("replays", "must be LocalReplays or SharedReplays")
    return dpop
