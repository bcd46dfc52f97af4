"""For any input the core returns a `Principal` or raises a documented error, never anything else.

A token: a Principal or an AuthError. A header value: a token or an AuthError. A document: a JWKSet or a JWKSetError.
"""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bearward import (
    AuthError,
    KeysNeededError,
    Principal,
    Refusal,
    Requirement,
    TrustedIssuer,
    Verifier,
    any_scope,
    authorize,
    claim,
    recent_authentication,
    scope,
)
from bearward.challenge import challenge
from bearward.confirmation import check_certificate
from bearward.credentials import bearer_token
from bearward.jose.compact import parse_compact
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.testing import SigningKey, compact, json_octets, sign_segments
from tests.properties import fixtures
from tests.properties.claim_values import claim_sets, headers
from tests.properties.json_bytes import documents
from tests.properties.profiles import examples

REQUIREMENTS: list[Requirement] = [
    scope("notes:read"),
    any_scope("a", "b") | claim("roles", "admin", 1, 1.5, True),
    claim("realm_access.roles", "admin") & claim("a.b", 1),
    recent_authentication(max_age=300),
    recent_authentication(acr_values=("urn:a",)) | recent_authentication(max_age=0, acr_values=("b",)),
]


def judge(verifier: Verifier, token: str, *, allow_bound: bool = False) -> Principal | AuthError:
    """The verdict on a token; what a caller does with either result must work too."""
    try:
        principal = verifier.verify_now(token, unsafe_allow_bound=allow_bound)
    except AuthError as error:
        assert (challenge(error) is None) == (error.fault.value == "service")
        assert len(token) < 8 or token not in f"{error!r} {error} {error.args}"
        return error
    use(verifier, principal)
    return principal


def use(verifier: Verifier, principal: Principal) -> None:
    """All that can be asked of a verified principal, none of which may raise anything but an AuthError."""
    assert {principal: 1}[principal] == 1
    assert isinstance(principal.issuer, str)
    assert principal.subject is None or isinstance(principal.subject, str)
    assert all(isinstance(name, str) for name in principal.audience)
    assert all(isinstance(name, str) for name in principal.scopes)
    assert principal.issued_at is None or principal.issued_at < principal.expires_at
    json.dumps(principal.to_dict())
    repr(principal)
    assert verifier.seconds_until_expiry(principal) > 0
    verifier.check_still_valid(principal)
    for requirement in REQUIREMENTS:
        try:
            authorize(principal, requirement, verifier.now())
        except AuthError as error:
            assert challenge(error) is not None
    with contextlib.suppress(AuthError):
        check_certificate(principal, b"no certificate")


@examples(200)
@given(st.text(max_size=80) | documents.map(lambda raw: compact(raw, raw, b"")) | st.text("ey.JhI_-=", max_size=40))
@example("")
@example("..")
@example("a.b.c")
@example("....")
@example("\ud800.e30.")
@example("{}")
def test_any_text_is_refused_with_an_auth_error(token: str) -> None:
    """Unsigned input is refused, and nothing else happens; with and without the cache of verified tokens."""
    for size in (0, 1 << 20):
        assert isinstance(judge(fixtures.verifier("ES256", token_cache=size), token), AuthError)


@examples(200)
@given(st.just(b'{"alg":"ES256","kid":"ES256-0"}') | documents, documents)
@example(b'{"alg":"ES256","kid":"ES256-0"}', b"[1")
def test_any_signed_octets_give_a_principal_or_an_auth_error(header: bytes, payload: bytes) -> None:
    """A malicious issuer, or a stolen key, may sign anything: header and payload of any octets, correctly signed."""
    token = sign_segments(header, payload, fixtures.key("ES256"))
    assert isinstance(judge(fixtures.verifier("ES256"), token), Principal | AuthError)


@examples(200)
@given(headers("EdDSA", "EdDSA-0"), claim_sets(), st.booleans())
@example({"alg": "EdDSA", "kid": "EdDSA-0"}, fixtures.claims(auth_time=10**400), True)
@example({"alg": "EdDSA", "kid": "EdDSA-0"}, fixtures.claims(exp=10**400), True)
@example({"alg": "EdDSA", "kid": "EdDSA-0"}, fixtures.claims(iat=-(10**400)), True)
@example({"alg": "EdDSA", "kid": "EdDSA-0"}, fixtures.claims(cnf={"x5t#S256": "é"}), True)
@example({"alg": "EdDSA", "kid": "EdDSA-0"}, fixtures.claims(scope=["a", {"b": 1}], scp=1), True)
def test_any_signed_claims_give_a_principal_or_an_auth_error(
    header: dict[str, Any], claims: dict[str, Any], ascii_only: bool
) -> None:
    """Every registered claim with every kind of value: judged, and usable where it was accepted."""
    payload = json.dumps(claims).encode() if ascii_only else json_octets(claims)
    token = sign_segments(json_octets(header), payload, fixtures.key("EdDSA"))
    verdict = judge(fixtures.verifier("EdDSA"), token)
    if isinstance(verdict, Principal):
        assert verdict.to_dict() == json.loads(payload)
    assert isinstance(judge(fixtures.verifier("EdDSA"), token, allow_bound=True), Principal | AuthError)


@examples(150)
@given(claim_sets())
def test_without_keys_a_refusal_reveals_no_more_than_with_them(claims: dict[str, Any]) -> None:
    """`KeysNeededError` for a token that would pass, else its form's or its times' refusal, or KEYS_UNAVAILABLE."""
    verifier = Verifier(TrustedIssuer(fixtures.ISSUER, audience=fixtures.AUDIENCE), clock=fixtures.FakeClock())
    token = sign_segments(json_octets({"alg": "EdDSA"}), json_octets(claims), fixtures.key("EdDSA"))
    forged = sign_segments(json_octets({"alg": "EdDSA"}), json_octets(claims), SigningKey.generate("EdDSA"))
    held, unsigned = judge(fixtures.verifier("EdDSA"), token), judge(fixtures.verifier("EdDSA"), forged)
    if isinstance(held, Principal):
        with pytest.raises(KeysNeededError):
            verifier.verify_now(token)
        return
    assert isinstance(unsigned, AuthError)
    with pytest.raises(AuthError) as refused:
        verifier.verify_now(token)
    if unsigned.refusal is Refusal.SIGNATURE_INVALID:
        assert (refused.value.refusal, refused.value.claim) == (Refusal.KEYS_UNAVAILABLE, None)
    else:
        assert (refused.value.refusal, refused.value.claim) == (unsigned.refusal, unsigned.claim)


_values = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.text("bearBEAR \t.=~+/-_,:\"'0aé\x00\ud800", max_size=30),
    st.sampled_from(["Bearer ", "bearer\t", "BEARER  ", " Bearer "]).flatmap(
        lambda scheme: st.text("aZ09.-_~+/= \t,", max_size=12).map(lambda token: scheme + token)
    ),
)


@examples(200)
@given(st.lists(_values, max_size=3), st.integers(0, 30))
def test_any_header_values_give_a_token_or_an_auth_error(values: list[str | bytes], most: int) -> None:
    """What is taken for a token follows the grammar of RFC 6750 section 2.1 and stands in the one value there is."""
    try:
        token = bearer_token(values, max_length=most)
    except AuthError as error:
        assert challenge(error)
        return
    (value,) = values
    text = value.decode() if isinstance(value, bytes) else value
    assert 0 < len(token) <= most
    assert set(token.rstrip("=")) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/")
    assert token.rstrip("=")
    assert text.strip(" \t")[:7].lower() == "bearer "
    assert text.strip(" \t")[7:].lstrip(" ") == token


_JWK_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.text(max_size=4),
    st.sampled_from(
        ["RSA", "EC", "OKP", "oct", "sig", "enc", "AQAB", "Aw", "RS256", "ES256", "EdDSA", "P-256", "Ed25519"]
    ),
    st.lists(st.sampled_from(["verify", "sign", "", "verify"]) | st.none(), max_size=3),
    st.binary(min_size=1, max_size=66).map(lambda octets: compact(octets, b"", b"").split(".")[0]),
)
_MEMBERS = ["kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e", "d", "k", "x5c", "x5t", "x5t#S256", "ext"]
_jwks = st.builds(
    lambda alg, odd: {**fixtures.key(alg).public_jwk(), **odd},
    st.sampled_from(["RS256", "ES256", "ES512", "EdDSA", "Ed448", "ES256K"]),
    st.dictionaries(st.sampled_from(_MEMBERS), _JWK_VALUES, max_size=2),
)


@examples(200)
@given(
    st.one_of(
        documents,
        st.builds(
            lambda keys: json.dumps({"keys": keys}).encode(), st.lists(_jwks | _JWK_VALUES | st.just({}), max_size=4)
        ),
        documents.map(lambda raw: b'{"keys":[' + raw + b"]}"),
    )
)
def test_any_document_gives_a_key_set_or_its_own_error(document: bytes) -> None:
    """A set that was taken has a usable key, says what it rejected, and its keys verify without raising."""
    try:
        taken = JWKSet.parse(document)
    except JWKSetError as error:
        assert str(error).startswith(("the document", "the JWK Set"))  # a constant, not the document
        return
    assert taken.keys
    repr(taken)
    assert sum(taken.rejection_counts().values()) == len(taken.rejected)
    for held in taken.keys:
        for alg in held.algorithms:
            assert not held.verify(alg, b"a.b", b"\x01" * held.signature_length)
            assert not held.verify(alg, b"a.b", b"")


@examples(100)
@given(documents, st.sampled_from(["ES256", "RS256", "PS384", "Ed448", "HS512"]), st.binary(max_size=140))
def test_signature_of_any_octets_is_refused(payload: bytes, alg: str, signature: bytes) -> None:
    """Octets that nobody signed, of any length and of the right one."""
    header = json_octets({"alg": alg, "kid": fixtures.key(alg).kid})
    for octets in (signature, signature.ljust(64, b"\x01")[:64], signature.ljust(256, b"\x00")):
        assert isinstance(judge(fixtures.verifier(alg), compact(header, payload, octets)), AuthError)


@examples(100)
@given(headers("ES256", "ES256-0"))
def test_cached_header_gets_the_same_verdict(header: dict[str, Any]) -> None:
    """The memory of headers never changes a verdict: not at the second time, and not behind five hundred others."""
    token = sign_segments(json_octets(header), json_octets(fixtures.claims()), SigningKey.symmetric(b"", "none"))
    first = _apart(token)
    assert _apart(token) == first
    for number in range(520):
        _apart(sign_segments(b'{"alg":"none","n":%d}' % number, b"{}", SigningKey.symmetric(b"", "none")))
    assert _apart(token) == first


def _apart(token: str) -> object:
    try:
        return parse_compact(token)
    except AuthError as error:
        return error.refusal
