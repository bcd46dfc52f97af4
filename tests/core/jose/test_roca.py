"""The fingerprint of the ROCA flaw (CVE-2017-15361)."""

from __future__ import annotations

from math import prod

import pytest

from bearward.jose import base64url
from bearward.jose.jwk import KeyRejection, RejectedKeyError, read_key
from bearward.jose.roca import _PRIMES, has_roca_fingerprint
from bearward.testing import SigningKey


def test_moduli_of_the_flawed_form() -> None:
    """A product of primes that are `k * M + 65537^a mod M` is recognised."""
    m = prod(_PRIMES) * 2
    p, q = (7 * m + pow(65537, exponent, m) for exponent in (11, 1234567))
    assert has_roca_fingerprint(p * q)


def test_roca_key_is_rejected_as_weak() -> None:
    """A JWK of 2048 bits whose modulus is a power of 65537 modulo the first primes is not used."""
    m = prod(_PRIMES) * 2
    k = (3 << 1022) // m
    n = (k * m + pow(65537, 11, m)) * ((k + 3) * m + pow(65537, 1234567, m))
    n_text, e_text = (base64url.encode(number.to_bytes(256, "big").lstrip(b"\0")).decode() for number in (n, 65537))
    with pytest.raises(RejectedKeyError) as rejected:
        read_key({"kty": "RSA", "n": n_text, "e": e_text})
    assert n.bit_length() == 2048
    assert rejected.value.reason is KeyRejection.WEAK


def test_sound_moduli() -> None:
    """Keys that OpenSSL makes have no such form."""
    for _ in range(20):
        numbers = SigningKey.generate("RS256", bits=1024)._public()
        assert not has_roca_fingerprint(getattr(numbers, "public_numbers")().n)  # noqa: B009


def test_roca_primes_are_the_odd_primes_to_167() -> None:
    """All odd primes up to 167."""
    assert len(_PRIMES) == 38
    assert (_PRIMES[0], _PRIMES[-1]) == (3, 167)
