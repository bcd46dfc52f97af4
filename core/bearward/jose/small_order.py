"""Edwards points of small order: with such a key a signature proves nothing, since it fits many messages.

Rule of this file: RFC 8032 section 5 leaves this check to whoever accepts the key. The points are few, so they are
listed by their y coordinate, decoded as in RFC 8032 sections 5.1.3 and 5.2.3 and reduced.
"""

from __future__ import annotations

__all__ = ["has_small_order"]

_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
# Ed25519 has cofactor 8: the identity, the points of order 2 and 4, and those of order 8, which share two values.
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_OF_SMALL_ORDER = {
    "Ed25519": (_P25519, 255, frozenset({0, 1, _P25519 - 1, _Y8, _P25519 - _Y8})),
    # Ed448 has cofactor 4: the identity, the point of order 2, and the two of order 4.
    "Ed448": (_P448, 455, frozenset({0, 1, _P448 - 1})),
}


def has_small_order(crv: str, x: bytes) -> bool:
    """Whether the public key `x` of the curve `crv` (the octets of a JWK's `x`) is a point of small order.

    >>> has_small_order("Ed25519", bytes([1]) + bytes(31))
    True
    """
    prime, bits, known = _OF_SMALL_ORDER[crv]
    y = int.from_bytes(x, "little") & (2**bits - 1)  # the bit beyond is the sign of the x coordinate
    return y % prime in known
