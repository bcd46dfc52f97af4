"""Nonces of a resource server (RFC 9449 sections 8 and 9): rolling, without a store, the same for a whole fleet.

    nonce(slot) = BASE64URL(HMAC-SHA256(key, slot)[:16]),    slot = floor(now / period)

Rules of this file: pure. The key is derived from the fleet's secret under its own label, so that every worker on every
machine issues and accepts the same nonces, and they cannot be predicted: a proof made in advance cannot contain one. A
nonce is valid in its own slot, in the next one, and in the one before (for a machine whose clock is behind the issuing
one): for at most three periods.
"""

from __future__ import annotations

import hmac
from typing import Final

from bearward.errors import ConfigurationError
from bearward.jose.base64url import encode

__all__ = ["LEAST_SECRET", "DPoPNonces"]

_LABEL: Final = b"bearward DPoP nonce 1"
LEAST_SECRET = 16
"""Bytes."""
_MIN_PERIOD, _MAX_PERIOD = 1.0, 3600.0
_LENGTH = 16  # octets: what an attacker would have to guess
_REMEMBERED_SLOTS = 8


class DPoPNonces:
    """The nonces of a fleet that shares `secret` (at least 16 bytes); a new one every `period` seconds.

    All servers of a fleet need the same secret and the same period. Raises `ConfigurationError`.

    >>> here, there = DPoPNonces(b"0123456789abcdef"), DPoPNonces(b"0123456789abcdef")
    >>> there.accepts(here.current(1_800_000_000.0), 1_800_000_060.0)
    True
    >>> there.accepts(here.current(1_800_000_000.0), 1_800_000_180.0)
    False
    """

    __slots__ = ("_key", "_slots", "period")

    def __init__(self, secret: bytes, *, period: float = 60.0) -> None:
        if not isinstance(secret, bytes) or len(secret) < LEAST_SECRET:
            raise ConfigurationError("nonces.secret", f"must be at least {LEAST_SECRET} bytes, the same for the fleet")
        if isinstance(period, bool) or not isinstance(period, int | float) or not _MIN_PERIOD <= period <= _MAX_PERIOD:
            raise ConfigurationError("nonces.period", f"must be {_MIN_PERIOD:g} to {_MAX_PERIOD:g} seconds")
        self._key = hmac.digest(secret, _LABEL, "sha256")
        self._slots: dict[int, str] = {}
        self.period: float = float(period)
        """Seconds."""

    def current(self, now: float) -> str:
        """The nonce to issue at `now`, in seconds since the epoch: 22 characters of base64url."""
        return self._nonce(int(now // self.period))

    def accepts(self, nonce: str, now: float) -> bool:
        """Whether `nonce` is one that a server of the fleet issues now or issued a moment ago."""
        if not nonce.isascii():
            return False
        slot = int(now // self.period)
        # All three are compared, so that the time does not reveal which one it was.
        same = [hmac.compare_digest(nonce, self._nonce(slot + step)) for step in (-1, 0, 1)]
        return any(same)

    def _nonce(self, slot: int) -> str:
        held = self._slots.get(slot)
        if held is None:
            octets = hmac.digest(self._key, str(slot).encode("ascii"), "sha256")[:_LENGTH]
            if len(self._slots) >= _REMEMBERED_SLOTS:
                self._slots = {}
            held = self._slots[slot] = encode(octets).decode("ascii")
        return held

    def __repr__(self) -> str:
        return f"<DPoPNonces: a new one every {self.period:g} s>"
