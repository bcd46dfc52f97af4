"""Rules that few issuers need: refused claims, authorized parties, keys of one's own, other names of claims, SPIFFE."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, Principal, TrustedIssuer
from bearward.claims import check_claims, issuer_claim
from bearward.spiffe import trust_domain_of
from bearward.testing import SigningKey

ISSUER, API = "https://login.example", "https://api.example"
KEYS = {"keys": [SigningKey.generate("ES256").public_jwk()]}
TD = "spiffe://example.org"
CLAIMS = {"iss": ISSUER, "sub": "ada", "aud": API, "exp": 4_000_000_000}


def _policy(**settings: Any) -> TrustedIssuer:
    return TrustedIssuer(settings.pop("issuer", ISSUER), **{"audience": API, "jwks": KEYS, **settings})


PASSES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"refused_claims": ["nonce"]}, {}),
    ({"authorized_parties": "web"}, {}),
    ({"authorized_parties": "web"}, {"azp": "web"}),
    ({"authorized_parties": ["web", "app"]}, {"aud": [API, "web"], "azp": "app"}),
    ({"authorized_parties": "web"}, {"aud": [API]}),
    ({"audience": (), "keys_are_ours": True}, {"aud": None}),
    ({"audience": (), "keys_are_ours": True}, {"aud": []}),
    ({"subject_claim": "oid"}, {"oid": "690222be"}),
    ({"subject_claim": ("sub", "common_name")}, {"sub": "", "common_name": "service.access"}),
    ({"client_claim": "cid", "client_ids": "web"}, {"cid": "web", "azp": "other"}),
    ({"issuer": TD}, {"iss": None, "sub": f"{TD}/ns/shop/sa/cart"}),
]


def _claims(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}


@pytest.mark.parametrize(("settings", "change"), PASSES, ids=range(len(PASSES)))
def test_claims_that_follow_the_rule_pass(settings: dict[str, Any], change: dict[str, Any]) -> None:
    """What each rule lets through."""
    check_claims(_claims(change), _policy(**settings))


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str | None]] = [
    ({"refused_claims": ["nonce"]}, {"nonce": "n"}, "claim_mismatch", "nonce"),
    ({"refused_claims": ["nonce"]}, {"nonce": False}, "claim_mismatch", "nonce"),
    ({"authorized_parties": "web"}, {"azp": "app"}, "claim_mismatch", "azp"),
    ({"authorized_parties": "web"}, {"azp": ["web"]}, "claim_malformed", "azp"),
    ({"authorized_parties": "web"}, {"aud": [API, "web"]}, "claim_missing", "azp"),
    ({"audience": (), "keys_are_ours": True}, {}, "audience_mismatch", None),
    ({"audience": (), "keys_are_ours": True}, {"aud": [""]}, "audience_mismatch", None),
    ({"subject_claim": "oid"}, {}, "claim_missing", "oid"),
    ({"subject_claim": "oid"}, {"oid": ""}, "claim_missing", "oid"),
    ({"subject_claim": "oid"}, {"oid": 1}, "claim_missing", "oid"),
    ({"subject_claim": "sub"}, {"sub": ""}, "claim_missing", "sub"),
    ({"client_claim": "cid", "client_ids": "web"}, {"client_id": "web"}, "claim_missing", "cid"),
    ({"client_claim": "cid", "client_ids": "web"}, {"cid": "app"}, "claim_mismatch", "cid"),
    ({"client_claim": "cid", "client_ids": "web"}, {"cid": 1}, "claim_malformed", "cid"),
    ({"issuer": TD}, {"iss": TD, "sub": f"{TD}/ns/shop"}, "claim_mismatch", "iss"),
    ({"issuer": TD}, {"iss": None, "sub": "spiffe://other.org/ns/shop"}, "claim_mismatch", "sub"),
    ({"issuer": TD}, {"iss": None, "sub": TD}, "claim_mismatch", "sub"),
]


@pytest.mark.parametrize(("settings", "change", "code", "claim"), REFUSED, ids=range(len(REFUSED)))
def test_claims_that_break_the_rule_are_refused(
    settings: dict[str, Any], change: dict[str, Any], code: str, claim: str | None
) -> None:
    """Each with the code of its kind, and the name of the claim."""
    with pytest.raises(AuthError) as caught:
        check_claims(_claims(change), _policy(**settings))
    assert (caught.value.code, caught.value.claim) == (code, claim)


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"refused_claims": ["nonce"], "required_claims": ["nonce"]},
        "refused_claims: must not hold a claim that is required",
    ),
    ({"refused_claims": ["exp"]}, "refused_claims: must not hold a claim that is required"),
    (
        {"keys_are_ours": True},
        "keys_are_ours: must come with jwks_uri, pem_uri, metadata_uri or jwks, and without an audience",
    ),
    (
        {"keys_are_ours": True, "audience": (), "jwks": None},
        "keys_are_ours: must come with jwks_uri, pem_uri, metadata_uri or jwks, and without an audience",
    ),
    ({"subject_claim": [""]}, "subject_claim: must name claims, in the order in which they are tried"),
    ({"subject_claim": {"oid"}}, "subject_claim: must name claims, in the order in which they are tried"),
    ({"client_claim": ""}, "client_claim: must name a claim"),
    ({"place": "x-token"}, "place: must be a CredentialPlace"),
    ({"issuer": f"{TD}/ns"}, "issuer: must be a trust domain, such as spiffe://example.org, without a path"),
    (
        {"issuer": "spiffe://Example.org"},
        "issuer: must be a trust domain, such as spiffe://example.org, without a path",
    ),
    (
        {"issuer": TD, "jwks": None},
        "issuer: must be an https URL to discover keys from; for any other `iss` say where the keys are: jwks_uri",
    ),
]


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=range(len(WRONG)))
def test_settings_that_cannot_be_are_a_configuration_error(settings: dict[str, Any], message: str) -> None:
    """The message names the setting and says what it must be."""
    with pytest.raises(ConfigurationError) as caught:
        _policy(**settings)
    assert str(caught.value) == message


def _principal(settings: dict[str, Any], change: dict[str, Any]) -> Principal:
    return Principal(_claims(change), key_thumbprint="k", claim_names=_policy(**settings).claim_names)


def test_principal_reads_the_claims_by_their_names() -> None:
    """Subject, client and rights of the claims that the issuer's settings name."""
    settings = {"subject_claim": "oid", "client_claim": "appid", "rights": ["scp", "roles"]}
    who = _principal(settings, {"oid": "690222be", "appid": "web", "scp": "notes:read", "roles": ["admin"]})
    assert (who.subject, who.client_id, who.rights) == ("690222be", "web", frozenset({"notes:read", "admin"}))
    assert who.rights is who.rights


def test_principal_without_names_reads_the_usual_claims() -> None:
    """Rights are the scopes, where nothing is said of them."""
    who = _principal({}, {"scope": "notes:read", "azp": "web"})
    assert (who.subject, who.client_id, who.rights) == ("ada", "web", frozenset({"notes:read"}))
    assert _principal({"subject_claim": "sub"}, {"scope": "notes:read"}).rights == {"notes:read"}


def test_trust_domain_is_the_issuer_claim_a_token_without_one() -> None:
    """Of the principal, and for the choice of the policy."""
    claims = {"iss": None, "sub": f"{TD}/ns/shop/sa/cart"}
    assert _principal({"issuer": TD}, claims).issuer == TD
    assert issuer_claim(_claims(claims)) == TD


NO_WORKLOADS = (
    None,
    1,
    "",
    TD,
    f"{TD}/",
    f"{TD}//a",
    f"{TD}/a/",
    f"{TD}/.",
    f"{TD}/a/../b",
    f"{TD}/a b",
    f"{TD}/ä",
    f"{TD}/a\n",
    f"{TD}/a?b",
    f"{TD}:8443/a",
    "spiffe:///a",
    "spiffe://Example.org/a",
    "SPIFFE://example.org/a",
    "https://example.org/a",
    f"{TD}/{'a' * 2048}",
)


@pytest.mark.parametrize("subject", NO_WORKLOADS, ids=range(len(NO_WORKLOADS)))
def test_subject_without_spiffe_id_has_no_trust_domain(subject: object) -> None:
    """Such a subject chooses no issuer: the token lacks its `iss`."""
    assert trust_domain_of(subject) is None
    with pytest.raises(AuthError) as caught:
        issuer_claim({"sub": subject})
    assert (caught.value.code, caught.value.claim) == ("claim_missing", "iss")


def test_workload_has_the_trust_domain_of_its_id() -> None:
    """Dots within a segment are no path."""
    ids = (f"{TD}/a", f"{TD}/..a/b..c", f"{TD}/ns/shop/sa/cart_1.2-3")
    assert {trust_domain_of(subject) for subject in ids} == {TD}
