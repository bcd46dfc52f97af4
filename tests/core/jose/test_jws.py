"""A compact JWS against a set of keys (RFC 7515 section 5.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearward.errors import AuthError
from bearward.jose.algorithms import ASYMMETRIC
from bearward.jose.jwk_set import JWKSet
from bearward.testing import SigningKey, sign_segments
from tests.vectors.compact_jws import verify_jws

ONE, TWO = SigningKey.generate("ES256", kid="one"), SigningKey.generate("ES256", kid="two")
ED = SigningKey.generate("EdDSA", kid="ed")


def _keys(*members: dict[str, Any]) -> JWKSet:
    return JWKSet.parse(json.dumps({"keys": members}).encode())


def _token(key: SigningKey, **header: Any) -> str:
    return sign_segments(json.dumps({"alg": key.alg, **header}).encode(), b"\x00payload", key)


BOTH = _keys(ONE.public_jwk(), TWO.public_jwk())
UNNAMED = _keys(ONE.public_jwk(kid=None), TWO.public_jwk(kid=None))
NAMED_AND_NOT = _keys(ONE.public_jwk(), TWO.public_jwk(kid=None))

VERDICTS: dict[str, tuple[JWKSet, str, bytes | str]] = {
    "by kid": (BOTH, _token(ONE, kid="one"), b"\x00payload"),
    "by the other kid": (BOTH, _token(ONE, kid="two"), "signature_invalid"),
    "unknown kid": (BOTH, _token(ONE, kid="three"), "key_unknown"),
    "no kid: all are tried": (BOTH, _token(TWO), b"\x00payload"),
    "no kid, by none of them": (BOTH, _token(SigningKey.generate("ES256")), "signature_invalid"),
    "a kid, keys without": (UNNAMED, _token(TWO, kid="any"), b"\x00payload"),
    "a kid, keys without, by none": (UNNAMED, _token(SigningKey.generate("ES256"), kid="any"), "key_unknown"),
    "a kid that one key has: the unnamed is not tried": (NAMED_AND_NOT, _token(TWO, kid="one"), "signature_invalid"),
    "a kid that none has: the unnamed is tried": (NAMED_AND_NOT, _token(TWO, kid="new"), b"\x00payload"),
    "no key fits the algorithm": (BOTH, _token(ED), "key_unsuitable"),
    "no key of that name fits the algorithm": (BOTH, _token(ED, kid="one"), "key_unsuitable"),
    "an algorithm that is not allowed": (BOTH, _token(SigningKey.symmetric(b"x" * 32)), "algorithm_not_allowed"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name: str) -> None:
    """A signature counts by a key of the set that `kid` and `alg` allow."""
    keys, token, expected = VERDICTS[name]
    if isinstance(expected, bytes):
        assert verify_jws(token, keys, ASYMMETRIC) == expected
        return
    with pytest.raises(AuthError) as refused:
        verify_jws(token, keys, ASYMMETRIC)
    assert refused.value.code == expected


def test_the_allow_list_is_asked_before_the_keys() -> None:
    """A key that fits serves nothing that the caller does not allow."""
    with pytest.raises(AuthError, match="algorithm is not allowed"):
        verify_jws(_token(ONE, kid="one"), BOTH, {"RS256"})


def test_at_most_eight_keys_are_tried() -> None:
    """A token without `kid` costs no more than eight signatures, however many keys an issuer has."""
    strangers = [SigningKey.generate("EdDSA").public_jwk() for _ in range(7)]
    assert verify_jws(_token(ED), _keys(*strangers, ED.public_jwk()), ASYMMETRIC) == b"\x00payload"
    more = [*strangers, SigningKey.generate("EdDSA").public_jwk(), ED.public_jwk()]
    with pytest.raises(AuthError, match="signature is not valid"):
        verify_jws(_token(ED), _keys(*more), ASYMMETRIC)
    assert verify_jws(_token(ED, kid="ed"), _keys(*more), ASYMMETRIC) == b"\x00payload"
