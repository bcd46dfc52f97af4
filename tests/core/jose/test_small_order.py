"""Edwards points of small order, found by doubling them (RFC 8032 sections 5.1 and 5.2)."""

from __future__ import annotations

import pytest

from bearward.jose.base64url import decode
from bearward.jose.small_order import _OF_SMALL_ORDER, has_small_order
from bearward.testing import SigningKey

Point = tuple[int, int]
# a*x^2 + y^2 = 1 + d*x^2*y^2
CURVES = {
    "Ed25519": (-1, -121665 * pow(121666, -1, 2**255 - 19), 8),
    "Ed448": (1, -39081, 4),
}


def _double(crv: str, point: Point) -> Point:
    prime, (a, d, _) = _OF_SMALL_ORDER[crv][0], CURVES[crv]
    x, y = point
    cross = d * x * x * y * y
    over = (2 * x * y * pow(1 + cross, -1, prime)) % prime
    up = ((y * y - a * x * x) * pow(1 - cross, -1, prime)) % prime
    return over, up


def _points(crv: str, y: int) -> list[Point]:
    """The points with this y: x is found as a root of x^2 = (1 - y^2) / (a - d*y^2)."""
    prime, (a, d, _) = _OF_SMALL_ORDER[crv][0], CURVES[crv]
    square = (1 - y * y) * pow(a - d * y * y, -1, prime) % prime
    if prime % 4 == 3:
        root = pow(square, (prime + 1) // 4, prime)
    else:
        root = pow(square, (prime + 3) // 8, prime)
        if root * root % prime != square:
            root = root * pow(2, (prime - 1) // 4, prime) % prime
    assert root * root % prime == square, "no point of the curve"
    return [(root, y), (-root % prime, y)]


@pytest.mark.parametrize("crv", CURVES)
def test_listed_points_have_small_order(crv: str) -> None:
    """Doubled as often as the cofactor says, each is the identity; and with both signs there are as many as that."""
    cofactor = CURVES[crv][2]
    found = set()
    for y in _OF_SMALL_ORDER[crv][2]:
        for point in _points(crv, y):
            found.add(point)
            doubled = point
            for _ in range(cofactor.bit_length() - 1):
                doubled = _double(crv, doubled)
            assert doubled == (0, 1)
    assert len(found) == cofactor


@pytest.mark.parametrize("crv", CURVES)
def test_every_spelling_is_recognised(crv: str) -> None:
    """With either sign, and not reduced where there is room for it."""
    prime, bits, known = _OF_SMALL_ORDER[crv]
    size = (bits + 8) // 8
    for y in known:
        for spelled in (y, y + prime):
            if spelled < 2**bits:
                assert has_small_order(crv, spelled.to_bytes(size, "little"))
                assert has_small_order(crv, (spelled | 2**bits).to_bytes(size, "little"))


@pytest.mark.parametrize(("alg", "crv"), [("EdDSA", "Ed25519"), ("Ed448", "Ed448")])
def test_sound_keys(alg: str, crv: str) -> None:
    """Keys that OpenSSL makes have a large order."""
    for _ in range(20):
        assert not has_small_order(crv, decode(SigningKey.generate(alg).public_jwk()["x"].encode()))
