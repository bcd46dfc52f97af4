"""ECDSA signatures in DER, which is what libraries verify, from the raw form that a JWS has (RFC 7518 section 3.4).

Rule of this file: pure octets; the length was checked before.
"""

from __future__ import annotations

from functools import cache
from itertools import product

__all__ = ["to_der"]


def to_der(signature: bytes) -> bytes:
    """A DER signature (RFC 3279 section 2.2.3) of r and s, each of at most 127 octets."""
    half = len(signature) // 2
    r, s = signature[:half], signature[half:]
    if half and r[0] and s[0]:  # no zeros to cut off: all but one signature in 128
        return _der_templates(half)[(r[0] > 127) + 2 * (s[0] > 127)] % (r, s)
    r, s = _der_integer(r), _der_integer(s)
    return _sequence(len(r) + len(s)) + r + s


def _der_integer(octets: bytes) -> bytes:
    """A positive INTEGER (X.690 section 8.3): no leading zeros but one before a high bit."""
    number = octets.lstrip(b"\0") or b"\0"
    return b"\x02%c\0%b" % (len(number) + 1, number) if number[0] > 127 else b"\x02%c%b" % (len(number), number)


def _sequence(length: int) -> bytes:
    return b"0%c" % length if length < 128 else b"0\x81%c" % length


@cache
def _der_templates(half: int) -> tuple[bytes, ...]:
    """What to put r and s into: neither, r, s, or both with a high bit. Formatting once takes half a microsecond less."""
    templates = []
    for high_s, high_r in product((False, True), repeat=2):
        r, s = (b"\x02%c%b" % (half + high, b"\0" * high) for high in (high_r, high_s))
        head = _sequence(len(r) + len(s) + 2 * half)
        templates.append(b"%b%%b%b%%b" % ((head + r).replace(b"%", b"%%"), s.replace(b"%", b"%%")))
    return tuple(templates)
