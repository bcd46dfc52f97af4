"""A JWK Set: odd keys are rejected and counted; a document that is no usable set is refused (RFC 7517 section 5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.testing import SigningKey
from tests.core.tokens import ISSUER, KEY, key_set, token_of, verified

RSA, EC, ED = (SigningKey.generate(alg, kid=alg) for alg in ("RS256", "ES256", "EdDSA"))
OTHER = SigningKey.generate("RS256", kid="RS256")


def _document(*members: Any, **more: Any) -> bytes:
    return json.dumps({"keys": members, **more}).encode()


def _set(*members: Any) -> JWKSet:
    return JWKSet.parse(_document(*members))


REFUSED = {
    "no keys": (_document(), "no usable key"),
    "only odd keys": (_document(None, {"kty": "oct", "k": "AA"}, RSA.public_jwk(use="enc")), "no usable key"),
    "no member keys": (b'{"key":[]}', "no JWK Set"),
    "keys null": (b'{"keys":null}', "no JWK Set"),
    "keys an object": (b'{"keys":{}}', "no JWK Set"),
    "a list": (b"[]", "not a strict JSON object"),
    "empty": (b"", "not a strict JSON object"),
    "keys twice": (b'{"keys":[],"keys":[]}', "not a strict JSON object"),
    "byte order mark": (b"\xef\xbb\xbf" + _document(RSA.public_jwk()), "not a strict JSON object"),
    "cut short": (_document(RSA.public_jwk())[:-1], "not a strict JSON object"),
    "deep": (b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not a strict JSON object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_documents_that_are_refused(name: str) -> None:
    """Such a document never replaces a good one."""
    document, reason = REFUSED[name]
    with pytest.raises(JWKSetError, match=reason):
        JWKSet.parse(document)


def test_odd_keys_are_counted() -> None:
    """They take nothing from the others."""
    keys = _set(
        None, {"kty": "HSS-LMS"}, {"kty": "HSS-LMS"}, RSA.public_jwk(use="enc"), EC.public_jwk(), EC.public_jwk(d="AA")
    )
    assert [key.kid for key in keys.keys] == ["ES256"]
    assert keys.rejection_counts() == {"not_a_key": 1, "unknown_type": 2, "not_for_signatures": 1, "private": 1}
    assert repr(keys) == f"<JWKSet of 1 keys, 5 rejected, {keys.thumbprint[:8]}>"


def test_keys_of_the_same_kid() -> None:
    """All of them serve (RFC 7517 section 4.5 advises against it, no more); the very same is one."""
    shared = _set(RSA.public_jwk(), OTHER.public_jwk())
    assert [key.thumbprint for key in shared.candidates("RS256", "RS256")] == [RSA.thumbprint, OTHER.thumbprint]
    assert _set(RSA.public_jwk(), RSA.public_jwk()).rejection_counts() == {"duplicate": 1}
    assert len(_set(RSA.public_jwk(), EC.public_jwk(kid="RS256")).keys) == 2
    assert len(_set(RSA.public_jwk(alg="RS256"), RSA.public_jwk(alg="PS256")).keys) == 2
    assert len(_set(RSA.public_jwk(kid=None), RSA.public_jwk(kid=None)).keys) == 1
    assert len(_set(RSA.public_jwk(kid=None, alg="RS256"), RSA.public_jwk(kid=None, alg="PS256")).keys) == 2
    assert len(_set(RSA.public_jwk(kid=None), OTHER.public_jwk(kid=None)).keys) == 2
    assert len(_set(RSA.public_jwk(use="enc"), RSA.public_jwk()).keys) == 1


def test_number_of_keys_is_bounded() -> None:
    """What stands beyond is counted, not read."""
    members = [RSA.public_jwk(kid=str(number)) for number in range(300)]
    keys = _set(*members)
    assert len(keys.keys) == 256
    assert keys.rejection_counts() == {"surplus": 44}
    assert len(JWKSet.parse(_document(*members), max_keys=3).keys) == 3


def test_key_set_thumbprint_ignores_order() -> None:
    """Two documents that say the same have the same thumbprint; another kid or algorithm is another set."""
    one = _set(RSA.public_jwk(), EC.public_jwk())
    assert one.thumbprint == _set(EC.public_jwk(), None, RSA.public_jwk(x="y")).thumbprint
    assert one.thumbprint != _set(RSA.public_jwk(), EC.public_jwk(kid="other")).thumbprint
    assert one.thumbprint != _set(RSA.public_jwk(alg="PS256"), EC.public_jwk()).thumbprint
    assert one.thumbprints == {RSA.thumbprint, EC.thumbprint}


CANDIDATES: dict[tuple[str, str | None], list[SigningKey]] = {
    ("RS256", "RS256"): [RSA],
    ("RS256", None): [RSA],
    ("RS256", "ES256"): [],
    ("RS256", "new"): [],
    ("ES256", "ES256"): [EC],
    ("EdDSA", None): [ED],
    ("Ed25519", None): [ED],
    ("EdDSA", "new"): [ED],
    ("HS256", None): [],
    ("none", None): [],
    ("none", "RS256"): [],
}


@pytest.mark.parametrize(("alg", "kid"), CANDIDATES)
def test_candidates(alg: str, kid: str | None) -> None:
    """By `kid` the keys of that name, else those without one; without `kid` all; only those that fit `alg`."""
    keys = _set(RSA.public_jwk(), EC.public_jwk(), ED.public_jwk(kid=None))
    expected = [key.thumbprint for key in CANDIDATES[alg, kid]]
    assert [key.thumbprint for key in keys.candidates(alg, kid)] == expected
    assert keys.holds("RS256")
    assert not keys.holds("new")
    assert not keys.holds("EdDSA")


def test_unnamed_keys_are_candidates_for_any_name() -> None:
    """An issuer that names no key may name none in tokens either; what that costs is bounded where they are tried."""
    keys = _set(*(SigningKey.generate("EdDSA").public_jwk(kid=None) for _ in range(20)))
    assert len(keys.candidates("EdDSA", None)) == len(keys.candidates("EdDSA", "any")) == 20


def test_two_keys_of_one_name_are_both_asked() -> None:
    """RFC 7517 section 4.5: equivalent keys of different types may share a `kid`, in any order."""
    rsa, elliptic = SigningKey.generate("RS256", kid="one"), SigningKey.generate("ES256", kid="one")
    for order in ((rsa, elliptic), (elliptic, rsa)):
        keys = key_set(KEY.public_jwk(), *(key.public_jwk() for key in order))
        for key in (rsa, elliptic):
            assert verified(token_of(key), keys).issuer == ISSUER
            assert len(keys.candidates(key.alg, "one")) == 1
        assert keys.candidates("ES384", "one") == ()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"[", "the document is not a strict JSON object"),
        (b"{}", "the document is no JWK Set"),
        (b'{"keys":{}}', "the document is no JWK Set"),
        (b'{"keys":[]}', "the JWK Set has no usable key"),
        (b'{"keys":[1]}', "the JWK Set has no usable key: key 1 is not a JSON object with a `kty`"),
        (
            b'{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"new"}]}',
            (
                "the JWK Set has no usable key: key 1 is symmetric, and so no public key, "
                "key 2 is of a type or curve that is not known here"
            ),
        ),
        (
            b'{"keys":[%s]}' % b",".join([b"1"] * 300),
            "the JWK Set has no usable key: "
            + ", ".join(f"key {number} is not a JSON object with a `kty`" for number in range(1, 9))
            + ", 292 more",
        ),
    ],
)
def test_invalid_key_sets_explain_themselves(document: bytes, text: str) -> None:
    """The operator of the issuer is the one who can mend it."""
    with pytest.raises(JWKSetError) as refused:
        JWKSet.parse(document)
    assert str(refused.value) == text
