"""What one judgement takes: CPU time of the thread, and the memory at its peak.

Rule of this file: from the `Authorization` value to the refusal, with the policy and eight keys that fit; nothing that
an earlier judgement left behind helps the next.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from bearward.claims import issuer_claim
from bearward.credentials import bearer_token
from bearward.errors import AuthError
from bearward.jose import compact
from bearward.jose.base64url import encode
from bearward.jose.jwk_set import JWKSet
from bearward.trusted_issuer import TrustedIssuer
from bearward.verification import verify_token

__all__ = ["cpu_seconds", "judge", "peak_octets"]

_NOW = 1_800_000_000.0


@cache
def _trusted() -> tuple[TrustedIssuer, JWKSet]:
    keys = []
    for number in range(8):
        numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
        modulus = encode(numbers.n.to_bytes(256, "big")).decode()
        keys.append({"kty": "RSA", "kid": str(number), "n": modulus, "e": "AQAB"})
    policy = TrustedIssuer("https://login.example", audience="a")
    return policy, JWKSet.parse(json.dumps({"keys": keys}).encode())


def judge(value: bytes) -> str:
    """The code of the refusal of one value."""
    policy, keys = _trusted()
    try:
        token = compact.parse_compact(bearer_token([value]))
        issuer_claim(token.claims)
        verify_token(token, policy, keys, _NOW)
    except AuthError as refusal:
        return refusal.code
    raise AssertionError("an unsigned token was accepted")


def cpu_seconds(value: bytes, *, times: int = 5) -> float:
    """The least CPU time of some judgements."""
    _trusted()
    return min(_once(value) for _ in range(times))


def _once(value: bytes) -> float:
    _forget()
    begun = time.thread_time()
    judge(value)
    return time.thread_time() - begun


def peak_octets(value: bytes) -> int:
    """The most memory that Python held for one judgement at any moment of it."""
    _trusted()
    _forget()
    tracemalloc.start()
    try:
        judge(value)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _forget() -> None:
    compact._header_cache.clear()  # noqa: SLF001  (headers that were read before cost nothing)
