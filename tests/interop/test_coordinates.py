"""What real issuers send as coordinates of EC keys, reduced to one key (found against Authlib and Glewlwyd)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bearward.jose.jwk import RejectedKeyError, read_key
from tests.interop.tokens import b64

_SIZE = 66


def _numbers() -> tuple[bytes, bytes]:
    """Of a P-521 key, both with a leading zero octet."""
    while True:
        numbers = ec.generate_private_key(ec.SECP521R1()).public_key().public_numbers()
        x, y = (number.to_bytes(_SIZE, "big") for number in (numbers.x, numbers.y))
        if not x[0] and not y[0]:
            return x, y


def _jwk(x: bytes, y: bytes) -> dict[str, str]:
    return {"kty": "EC", "crv": "P-521", "x": b64(x), "y": b64(y)}


@pytest.mark.parametrize(
    "form", [lambda octets: octets.lstrip(b"\0"), lambda octets: b"\0" + octets], ids=["less", "more"]
)
def test_padded_coordinates_give_the_same_key(form: Callable[[bytes], bytes]) -> None:
    """Leading zeros that lack, and one too many, change neither the key nor its thumbprint."""
    x, y = _numbers()
    assert read_key(_jwk(form(x), form(y))).thumbprint == read_key(_jwk(x, y)).thumbprint


@pytest.mark.parametrize(
    "x", [b"", b"\0\0" + bytes(_SIZE), b"\1" + bytes(_SIZE), b"\xff" * _SIZE], ids=["none", "many", "long", "large"]
)
def test_invalid_coordinate_is_rejected(x: bytes) -> None:
    """Nothing, too many octets, a number beyond the field: no key."""
    with pytest.raises(RejectedKeyError):
        read_key(_jwk(x, _numbers()[1]))
