"""Several policies of one issuer: told apart by what a token says it is, or refused when the verifier is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, CredentialPlace, JWKSOptions, TrustedIssuer, Verifier
from bearward.profiles import cognito
from bearward.testing import LocalIssuer, SigningKey
from tests.conftest import Run

KEYS = {"keys": [SigningKey.generate("ES256").public_jwk()]}
TWICE = "must not name the same issuer twice, unless token_types or one of expected_claims tells them apart"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """One issuer of access tokens for an API and of ID tokens for an application."""
    with LocalIssuer(algorithms=["ES256"]) as made:
        yield made


def _policies(issuer: LocalIssuer) -> tuple[TrustedIssuer, TrustedIssuer]:
    access = TrustedIssuer(issuer.url, client_ids="web", expected_claims={"token_use": "access"})
    identity = TrustedIssuer(issuer.url, audience="web", expected_claims={"token_use": "id"})
    return access, identity


JUDGED: list[tuple[dict[str, Any], str]] = [
    ({"token_use": "access", "client_id": "web", "aud": None}, "accepted"),
    ({"token_use": "id", "client_id": None, "aud": "web"}, "accepted"),
    ({"token_use": "id", "client_id": "web", "aud": None}, "claim_missing"),
    ({"token_use": "access", "client_id": "shop", "aud": None}, "claim_mismatch"),
    ({"token_use": "access", "client_id": "web", "aud": "web"}, "audience_mismatch"),
    ({"token_use": "refresh", "client_id": "web", "aud": None}, "claim_mismatch"),
    ({"token_use": None, "client_id": "web", "aud": None}, "claim_missing"),
]


@pytest.mark.parametrize(("claims", "verdict"), JUDGED, ids=range(len(JUDGED)))
def test_token_is_judged_whole_by_the_policy_it_speaks_to(
    issuer: LocalIssuer, claims: dict[str, Any], verdict: str, run: Run
) -> None:
    """What says `access` must be a good access token, what says `id` a good ID token; what says neither is refused."""
    token = issuer.mint(
        claims={name: value for name, value in claims.items() if value is not None},
        without=[name for name, value in claims.items() if value is None],
    )

    async def ask() -> str:
        async with Verifier(*_policies(issuer)) as verifier:
            try:
                principal = await verifier.verify(token)
            except AuthError as refused:
                return refused.code
            verifier.check_still_valid(principal)
            assert verifier.verify_now(token) is principal
            return "accepted"

    assert run(ask()) == verdict


@pytest.mark.parametrize(("typ", "audience"), [("at+jwt", "api"), ("JWT", "web")])
def test_token_is_judged_by_the_policy_of_its_type(issuer: LocalIssuer, typ: str, audience: str) -> None:
    """Whichever of the two stands first, and by its audience alone."""
    types = {"at+jwt": "api", "JWT": "web"}
    policies = [
        TrustedIssuer(issuer.url, audience=one, token_types=[name], jwks=issuer.keys.jwks())
        for name, one in types.items()
    ]
    for verifier in (Verifier(*policies), Verifier(*reversed(policies))):
        assert verifier.verify_now(issuer.mint(aud=audience, headers={"typ": typ})).issuer == issuer.url
        for wrong in {*types.values()} - {audience}:
            with pytest.raises(AuthError) as refused:
                verifier.verify_now(issuer.mint(aud=wrong, headers={"typ": typ}))
            assert refused.value.code == "audience_mismatch"


def test_policies_of_one_issuer_share_its_keys(issuer: LocalIssuer, run: Run) -> None:
    """One set is fetched, whichever policy asks first."""

    async def ask() -> None:
        async with Verifier(*_policies(issuer)) as verifier:
            before = issuer.requests("/jwks")
            for claims in ({"token_use": "access", "client_id": "web"}, {"token_use": "id", "aud": "web"}):
                await verifier.verify(issuer.mint(claims=claims, without=() if "aud" in claims else ["aud"]))
            assert issuer.requests("/jwks") == before
            assert len(verifier.health().issuers) == 1

    run(ask())


def _twice(one: dict[str, Any], other: dict[str, Any]) -> Verifier:
    def policy(settings: dict[str, Any]) -> TrustedIssuer:
        return TrustedIssuer("https://login.example", **{"audience": "a", "jwks": KEYS, **settings})

    return Verifier(policy(one), policy(other))


APART: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"token_types": ["at+jwt"]}, {"token_types": ["JWT", None]}),
    ({"expected_claims": {"use": "a"}}, {"expected_claims": {"use": ["b", "c"]}}),
    ({"expected_claims": {"use": True}}, {"expected_claims": {"use": 1}}),
]


@pytest.mark.parametrize(("one", "other"), APART, ids=range(len(APART)))
def test_policies_that_can_be_told_apart_are_taken(one: dict[str, Any], other: dict[str, Any]) -> None:
    """By `typ`, or by a claim of which each expects other values."""
    _twice(one, other)


NOT_APART: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, TWICE),
    ({"audience": "b"}, {}, TWICE),
    ({"token_types": ["at+jwt", "JWT"]}, {"token_types": ["JWT"]}, TWICE),
    ({"expected_claims": {"use": "a"}}, {"expected_claims": {"use": ["b", "a"]}}, TWICE),
    ({"expected_claims": {"use": "a"}}, {"expected_claims": {"kind": "b"}}, TWICE),
    ({"expected_claims": {"use": "a"}}, {}, TWICE),
    (
        {"token_types": ["at+jwt"], "jwks": None, "jwks_uri": "https://login.example/keys"},
        {"token_types": ["JWT"]},
        "must have the same jwks_uri where they name the same issuer",
    ),
    (
        {"token_types": ["at+jwt"], "jwks_options": JWKSOptions(max_age=60)},
        {"token_types": ["JWT"]},
        "must have the same jwks_options where they name the same issuer",
    ),
    (
        {"token_types": ["at+jwt"], "place": CredentialPlace(header="x-token")},
        {"token_types": ["JWT"]},
        "must have the same place where they name the same issuer",
    ),
]


@pytest.mark.parametrize(("one", "other", "message"), NOT_APART, ids=range(len(NOT_APART)))
def test_policies_that_cannot_be_told_apart_are_a_configuration_error(
    one: dict[str, Any], other: dict[str, Any], message: str
) -> None:
    """So is what they must have in common: the keys, and the place."""
    with pytest.raises(ConfigurationError) as caught:
        _twice(one, other)
    assert str(caught.value) == f"issuers: {message}"


def test_cognito_of_both_kinds_in_one_verifier() -> None:
    """The profile's two uses can be distinguished."""
    pool, client = "eu-west-1_a1B2c3D4e", "3n4b5urk1ft4fl3mg5e62d9ado"
    Verifier(cognito(pool=pool, clients=client), cognito(pool=pool, clients=client, use="id"))
