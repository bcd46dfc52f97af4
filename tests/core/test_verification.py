"""The one order of checks: what is refused first, what a refusal reveals, and what is worth a fetch."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import AuthError, Refusal, TrustedIssuer
from bearward.basis import basis_of
from bearward.jose.compact import parse_compact
from bearward.jose.jwk_set import JWKSet
from bearward.testing import SigningKey
from bearward.verification import KeyNotHeldError, verify_token
from tests.core.tokens import ISSUER, KEY, NOW, POLICY, key_set, token_of, verified

HELD = key_set(KEY.public_jwk())
UNTRUSTED = SigningKey.generate("ES256", kid="k")
STRICT = TrustedIssuer(
    ISSUER, audience="api", client_ids=["app"], required_claims=["sub"], expected_claims={"token_use": "access"}
)
GOOD: dict[str, Any] = {"client_id": "app", "sub": "ada", "token_use": "access"}


def refused(token: str, keys: JWKSet | None, policy: TrustedIssuer = POLICY, now: float = NOW) -> AuthError:
    """How `token` is refused."""
    with pytest.raises(AuthError) as error:
        verified(token, keys, policy, now)
    return error.value


def test_good_token_gives_its_principal() -> None:
    """Who comes out is who was signed, with the thumbprint of the key."""
    principal = verified(token_of(KEY, sub="ada"), HELD)
    assert (principal.subject, principal.issuer, principal.key_thumbprint) == ("ada", ISSUER, HELD.keys[0].thumbprint)


def test_principal_uses_the_configured_claim_names() -> None:
    """Subject and client, by the names that they have with this issuer."""
    policy = TrustedIssuer(ISSUER, audience="api", subject_claim="oid", client_claim="appid")
    principal = verified(token_of(KEY, sub="ada", oid="690222be", appid="web", client_id="other"), HELD, policy)
    assert (principal.subject, principal.client_id) == ("690222be", "web")


def test_bound_token_needs_a_caller_that_checks_the_binding() -> None:
    """RFC 7800: `cnf` is refused unless `allow_bound` says that the confirmation is checked."""
    token = token_of(KEY, cnf={"jkt": "x"})
    assert refused(token, HELD).refusal is Refusal.TOKEN_SENDER_CONSTRAINED
    assert verify_token(parse_compact(token), POLICY, HELD, NOW, allow_bound=True).issuer == ISSUER


ORDER: list[tuple[Refusal, dict[str, Any], dict[str, Any]]] = [
    (Refusal.ALGORITHM_NOT_ALLOWED, {"alg": "none"}, {}),
    (Refusal.TOKEN_TYPE_NOT_ALLOWED, {"typ": "x"}, {}),
    (Refusal.TOKEN_EXPIRED, {}, {"exp": NOW}),
    (Refusal.SIGNATURE_INVALID, {}, {}),
    (Refusal.AUDIENCE_MISMATCH, {}, {"aud": "others"}),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_checks_come_in_one_order(first: int) -> None:
    """Header, times, signature, claims: a token that fails several is refused by the first of them."""
    header: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    for _, members, said in ORDER[first:]:
        header |= members
        claims |= said
    signed_by = UNTRUSTED if any(row[0] is Refusal.SIGNATURE_INVALID for row in ORDER[first:]) else KEY
    assert refused(token_of(signed_by, header=header, **claims), HELD).refusal is ORDER[first][0]


SECRETS: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "others"},
    "no audience": {"aud": None},
    "a malformed audience": {"aud": 1},
    "another client": {"client_id": "other"},
    "no client": {"client_id": None},
    "a required claim is missing": {"sub": None},
    "a malformed subject": {"sub": 1},
    "an expected claim is missing": {"token_use": None},
    "an expected claim differs": {"token_use": "id"},
    "nothing": {},
}
KEYS: dict[str, tuple[JWKSet | None, Refusal]] = {
    "none": (None, Refusal.KEYS_UNAVAILABLE),
    "the named one": (HELD, Refusal.SIGNATURE_INVALID),
    "others": (key_set(SigningKey.generate("ES256", kid="other").public_jwk()), Refusal.KEY_UNKNOWN),
}


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("wrong", SECRETS)
def test_forged_token_reveals_nothing_of_the_policy(keys: str, wrong: str) -> None:
    """The refusal is the same whatever the claims say, and names none, whether keys are held or not."""
    held, refusal = KEYS[keys]
    error = refused(token_of(UNTRUSTED, **{**GOOD, **SECRETS[wrong]}), held, STRICT)
    assert (error.refusal, error.claim) == (refusal, None)


@pytest.mark.parametrize("wrong", SECRETS)
@pytest.mark.parametrize(("keys", "kid"), [("none", "k"), ("the named one", "k"), ("the named one", None), ("others", "k")])  # fmt: skip
def test_newer_keys_are_worth_a_fetch_only_if_claims_pass(wrong: str, keys: str, kid: str | None) -> None:
    """Any newer key may have signed it, also one under a `kid` that is held; claims that fail are never worth it."""
    token = token_of(UNTRUSTED, header={"kid": kid}, **{**GOOD, **SECRETS[wrong]})
    error = refused(token, KEYS[keys][0], STRICT)
    assert isinstance(error, KeyNotHeldError) is (not SECRETS[wrong])


@pytest.mark.parametrize(("kid", "worth"), [("k", False), (None, True)])
def test_key_for_other_algorithms_causes_a_fetch_only_without_kid(kid: str | None, worth: bool) -> None:
    """The issuer's key of that `kid` is known, and is not for this algorithm; without a `kid` a newer key may be."""
    error = refused(token_of(SigningKey.generate("RS256", kid="k"), header={"kid": kid}), HELD)
    assert error.refusal is Refusal.KEY_UNSUITABLE
    assert isinstance(error, KeyNotHeldError) is worth


def test_bound_token_causes_a_fetch_only_if_its_binding_is_checked() -> None:
    """RFC 7800: without `allow_bound` no key would let it in, with it a newer key could."""
    token = parse_compact(token_of(KEY, cnf={"jkt": "x"}))
    for allow_bound in (False, True):
        with pytest.raises(AuthError) as error:
            verify_token(token, POLICY, None, NOW, allow_bound=allow_bound)
        assert isinstance(error.value, KeyNotHeldError) is allow_bound
        assert error.value.refusal is Refusal.KEYS_UNAVAILABLE


def test_principal_keeps_its_basis() -> None:
    """The header and the policy, by which it is judged again later."""
    token = parse_compact(token_of(KEY))
    assert basis_of(verify_token(token, POLICY, HELD, NOW)) == (token.header, POLICY)


@pytest.mark.parametrize(("change", "refusal"), [({"exp": NOW}, Refusal.TOKEN_EXPIRED), ({"nbf": NOW + 6}, Refusal.TOKEN_NOT_YET_VALID)])  # fmt: skip
def test_token_outside_its_times_is_refused_without_keys(change: dict[str, Any], refusal: Refusal) -> None:
    """It is worth no fetch, and the refusal reveals no more than the time of day."""
    error = refused(token_of(KEY, **change), None)
    assert error.refusal is refusal
    assert not isinstance(error, KeyNotHeldError)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K", "PS384", "PS512", "RS384", "RS512", "Ed448"])
def test_each_algorithm_verifies_with_its_own_hash(alg: str) -> None:
    """A signature by this algorithm's hash passes, one by another key does not."""
    key, other = SigningKey.generate(alg, kid="k"), SigningKey.generate(alg, kid="k")
    policy = TrustedIssuer(ISSUER, audience="api", algorithms=[alg])
    keys = key_set(key.public_jwk())
    assert verified(token_of(key), keys, policy).issuer == ISSUER
    assert refused(token_of(other), keys, policy).refusal is Refusal.SIGNATURE_INVALID
