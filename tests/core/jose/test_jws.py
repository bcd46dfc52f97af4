"""A compact JWS against a set of keys (RFC 7515 section 5.2)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bearward.errors import AuthError
from bearward.jose.algorithms import ASYMMETRIC
from bearward.jose.compact import UnverifiedToken, split
from bearward.jose.jwk import VerificationKey, read_key
from bearward.jose.jwk_set import JWKSet
from bearward.jose.jws import find_signing_key
from bearward.refusals import Refusal
from bearward.testing import SigningKey, json_octets, sign_segments
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


def test_algorithm_allow_list_comes_before_the_keys() -> None:
    """A key that fits serves nothing that the caller does not allow."""
    with pytest.raises(AuthError, match="algorithm is not allowed"):
        verify_jws(_token(ONE, kid="one"), BOTH, {"RS256"})


class Counting:
    """A key that counts how often it is asked, and at what cost; it signed nothing."""

    def __init__(self, key: VerificationKey) -> None:
        self.key, self.asked = key, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.key, name)

    def verify(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """As the key does."""
        self.asked += len(signature) == self.key.signature_length
        return self.key.verify(algorithm, signing_input, signature)


TRIED = {"RS256": 40, "ES256": 13, "ES384": 2, "ES512": 1, "ES256K": 2, "EdDSA": 8, "Ed448": 3}


@pytest.mark.parametrize("alg", TRIED)
def test_signature_checks_of_one_token_stay_within_the_budget(alg: str) -> None:
    """A token without `kid` is tried with so many keys, however many an issuer has; half as many if it is long."""
    generated = SigningKey.generate(alg)
    signer = SigningKey.generate(alg)
    key = read_key(generated.public_jwk(alg=None))
    for payload, most in ((b"{}", TRIED[alg]), (b"{%s}" % (b" " * 5000), max(1, TRIED[alg] // 2))):
        members = [Counting(replace(key, kid=f"{n}", thumbprint=f"{n}")) for n in range(60)]
        header, text, signing_input, signature = split(sign_segments(json_octets({"alg": alg}), payload, signer))
        token = UnverifiedToken(header, {}, text, signing_input, signature)
        assert find_signing_key(token, JWKSet(members)) is Refusal.SIGNATURE_INVALID  # type: ignore[arg-type]
        assert sum(member.asked for member in members) == most
        assert sum(member.asked * key.cost for member in members) <= max(800.0, key.cost)


def test_keys_of_another_size_cost_nothing() -> None:
    """A signature is as long as its key's modulus, so no other is tried."""
    larger = SigningKey.generate("RS256", bits=4096)
    smaller = [read_key(SigningKey.generate("RS256").public_jwk(kid=str(n))) for n in range(3)]
    members = [Counting(replace(smaller[n % 3], kid=f"{n}", thumbprint=f"{n}")) for n in range(100)]
    keys = JWKSet([*members, read_key(larger.public_jwk(kid="last"))])  # type: ignore[list-item]
    token = sign_segments(json_octets({"alg": "RS256"}), b"payload", larger)
    assert verify_jws(token, keys, ASYMMETRIC) == b"payload"
    assert sum(member.asked for member in members) == 0


def test_kid_selects_its_key_among_any_number() -> None:
    """The budget is for those that must be tried, not for those that are published."""
    others = [SigningKey.generate("ES512").public_jwk() for _ in range(5)]
    signer = SigningKey.generate("ES512", kid="mine")
    keys = _keys(*others, signer.public_jwk())
    assert verify_jws(_token(signer, kid="mine"), keys, ASYMMETRIC) == b"\x00payload"
