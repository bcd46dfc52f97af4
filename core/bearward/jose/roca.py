"""RSA moduli that can be factored easily: those of the library with the ROCA flaw (CVE-2017-15361).

Rule of this file: a fingerprint, not a factorization. The flawed library generated its primes as `k * M + 65537^a mod
M`, where M is a product of small primes; so the modulus is a power of 65537 modulo each of them. For a sound modulus
that happens by chance about once in 2^27.
"""

from __future__ import annotations

from functools import cache

__all__ = ["has_roca_fingerprint"]

_GENERATOR = 65537
_PRIMES = tuple(p for p in range(3, 168, 2) if all(p % divisor for divisor in range(3, p, 2)))


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether the modulus is a power of 65537 modulo every prime from 3 to 167.

    >>> has_roca_fingerprint(_GENERATOR**40)
    True
    >>> has_roca_fingerprint(2**2048 + 981)
    False
    """
    return all(modulus % prime in powers for prime, powers in _powers())


@cache
def _powers() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple((prime, frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime))) for prime in _PRIMES)
