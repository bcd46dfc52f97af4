"""ML-DSA for JOSE (RFC 9964): by choice, with keys of type AKP, and judged by an implementation that is not ours."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import asymmetric

from bearward import AuthError, ConfigurationError, SymmetricKey, TrustedIssuer, Verifier
from bearward.jose import base64url
from bearward.jose.jwk import KeyRejection, RejectedKeyError, read_key
from bearward.jose.post_quantum import ML_DSA, is_supported
from bearward.testing import SigningKey
from tests.core.tokens import token_of

pytestmark = pytest.mark.skipif(
    not is_supported("ML-DSA-65"), reason="the oldest cryptography that is supported has no ML-DSA"
)

ISSUER, AUDIENCE = "https://login.example", "https://api.example"
ALGORITHMS = sorted(ML_DSA)
KEYS = {alg: SigningKey.generate(alg, kid=alg) for alg in ALGORITHMS} if is_supported("ML-DSA-65") else {}


def _trusted(*algorithms: str) -> TrustedIssuer:
    jwks = {"keys": [key.public_jwk() for key in KEYS.values()]}
    return TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=jwks, algorithms=algorithms)


def _token(alg: str) -> str:
    return token_of(KEYS[alg], iss=ISSUER, aud=AUDIENCE, exp=int(time.time()) + 60)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_is_accepted_where_the_issuer_allows_its_algorithm(alg: str) -> None:
    """And only there: a policy that says nothing allows none of them."""
    assert Verifier(_trusted(alg)).verify_now(_token(alg)).issuer == ISSUER
    others = [name for name in ALGORITHMS if name != alg]
    for policy in (_trusted(), _trusted(*others)):
        with pytest.raises(AuthError) as caught:
            Verifier(policy).verify_now(_token(alg))
        assert caught.value.code == "algorithm_not_allowed"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_key_has_its_own_algorithm_and_thumbprint(alg: str) -> None:
    """RFC 9964: `alg` is required, serves nothing else, and is a member of the thumbprint (RFC 7638)."""
    key = read_key(KEYS[alg].public_jwk())
    assert (key.kty, key.algorithms, key.thumbprint) == ("AKP", frozenset({alg}), KEYS[alg].thumbprint)


def _pub(octets: int) -> str:
    return base64url.encode(bytes(octets)).decode()


REJECTED: dict[str, tuple[dict[str, Any], KeyRejection]] = {
    "without alg": ({"alg": None}, KeyRejection.MALFORMED),
    "an alg of another type": ({"alg": "ES256"}, KeyRejection.ALGORITHM_UNFIT),
    "an alg that nobody knows": ({"alg": "ML-DSA-99"}, KeyRejection.ALGORITHM_UNKNOWN),
    "an alg of another length": ({"alg": "ML-DSA-87"}, KeyRejection.MALFORMED),
    "without pub": ({"pub": None}, KeyRejection.MALFORMED),
    "pub too short": ({"pub": _pub(1951)}, KeyRejection.MALFORMED),
    "pub too long": ({"pub": _pub(1953)}, KeyRejection.MALFORMED),
    "pub no base64url": ({"pub": "+" * 2603}, KeyRejection.MALFORMED),
    "pub a number": ({"pub": 1}, KeyRejection.MALFORMED),
    "the private seed": ({"priv": _pub(32)}, KeyRejection.PRIVATE),
    "another type": ({"kty": "akp"}, KeyRejection.UNKNOWN_TYPE),
}


@pytest.mark.parametrize("name", REJECTED)
def test_malformed_key_is_rejected(name: str) -> None:
    """With its reason, as any other key."""
    change, reason = REJECTED[name]
    member = {key: value for key, value in (KEYS["ML-DSA-65"].public_jwk() | change).items() if value is not None}
    with pytest.raises(RejectedKeyError) as caught:
        read_key(member)
    assert caught.value.reason is reason


@pytest.mark.thorough
def test_independent_implementation_agrees() -> None:
    """Keys and signatures of dilithium-py, which is pure Python, are accepted, and no change of them."""
    from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87

    for alg, peer in zip(ALGORITHMS, (ML_DSA_44, ML_DSA_65, ML_DSA_87), strict=True):
        public, private = peer.keygen()
        signature = peer.sign(private, b"header.payload")
        key = read_key({"kty": "AKP", "alg": alg, "pub": base64url.encode(public).decode()})
        assert key.verify(alg, b"header.payload", signature)
        assert not key.verify(alg, b"header.payloae", signature)
        assert not key.verify(alg, b"header.payload", peer.sign(private, b"header.payload", ctx=b"another context"))


def test_key_is_no_shared_secret() -> None:
    """Octets as long as a public key are refused as an HMAC secret."""
    for alg in ALGORITHMS:
        with pytest.raises(ConfigurationError):
            SymmetricKey(base64url.decode(KEYS[alg].public_jwk()["pub"].encode()), "HS256")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_issuer_cannot_ask_for_what_cryptography_lacks(alg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said when the policy is made, not when the first token comes."""
    monkeypatch.setitem(sys.modules, f"{asymmetric.__name__}.mldsa", None)
    monkeypatch.delattr(asymmetric, "mldsa", raising=False)
    with pytest.raises(ConfigurationError, match=f"algorithms: {alg} needs cryptography 47 or newer"):
        TrustedIssuer(ISSUER, audience=AUDIENCE, algorithms=alg)
