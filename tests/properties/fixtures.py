"""Fixtures for properties: a clock that stands still, a key for each algorithm, and an issuer that trusts them.

Rule of this file: everything is real but the time. Keys are made once per run.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bearward import SymmetricKey, TrustedIssuer, Verifier
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.jose.post_quantum import ML_DSA, is_supported
from bearward.testing import SigningKey, json_octets, sign_segments

__all__ = ["ALGORITHM_NAMES", "AUDIENCE", "ISSUER", "NOW", "FakeClock", "claims", "key", "mint", "verifier"]

ISSUER = "https://login.example/"
AUDIENCE = "https://api.example"
NOW = 1_700_000_000.0
ALGORITHM_NAMES = tuple(alg for alg in ALGORITHMS if alg not in ML_DSA or is_supported(alg))
"""Those that the installed `cryptography` has: the oldest that is supported has no ML-DSA."""
_SECRET = bytes(range(64))


class FakeClock:
    """Time that moves only where a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now
        self.set_back = 0.0
        """How far the wall clock was set back, which the monotonic clock does not know."""

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time + self.set_back - NOW + 1000.0


@cache
def key(alg: str, number: int = 0) -> SigningKey:
    """The key of an algorithm; another one for each `number`."""
    if alg in SYMMETRIC:
        return SigningKey.symmetric(_SECRET, alg, kid=f"{alg}-{number}")
    return SigningKey.generate(alg, kid=f"{alg}-{number}")


@cache
def verifier(alg: str, *, token_cache: int = 0) -> Verifier:
    """A verifier that trusts `key(alg)`, and allows that algorithm only."""
    common: dict[str, Any] = {"audience": AUDIENCE, "algorithms": [alg]}
    if alg in SYMMETRIC:
        policy = TrustedIssuer(ISSUER, symmetric_keys=[SymmetricKey(_SECRET, alg, key(alg).kid)], **common)
    else:
        policy = TrustedIssuer(ISSUER, jwks={"keys": [key(alg).public_jwk()]}, **common)
    return Verifier(policy, token_cache_bytes=token_cache, clock=FakeClock())


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that the verifier accepts, with changes."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": NOW - 10, "exp": NOW + 300, "jti": "t-1"}
    return {**good, **changes}


def mint(alg: str, **changes: Any) -> str:
    """A token that the verifier of `alg` accepts."""
    return sign_segments(json_octets({"alg": alg, "kid": key(alg).kid}), json_octets(claims(**changes)), key(alg))
