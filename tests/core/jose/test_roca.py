"""The fingerprint of the ROCA flaw (CVE-2017-15361)."""

from __future__ import annotations

from math import prod

from bearward.jose.roca import _PRIMES, has_roca_fingerprint
from bearward.testing import SigningKey


def test_moduli_of_the_flawed_form() -> None:
    """A product of primes that are `k * M + 65537^a mod M` is recognised."""
    m = prod(_PRIMES) * 2
    p, q = (7 * m + pow(65537, exponent, m) for exponent in (11, 1234567))
    assert has_roca_fingerprint(p * q)


def test_sound_moduli() -> None:
    """Keys that OpenSSL makes have no such form."""
    for _ in range(20):
        numbers = SigningKey.generate("RS256", bits=1024)._public()
        assert not has_roca_fingerprint(getattr(numbers, "public_numbers")().n)  # noqa: B009


def test_the_primes() -> None:
    """All odd primes up to 167."""
    assert len(_PRIMES) == 38
    assert (_PRIMES[0], _PRIMES[-1]) == (3, 167)
