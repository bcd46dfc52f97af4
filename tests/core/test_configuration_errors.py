"""The message of every invalid setting, word for word: its name, and what it must be.

An operator reads these at three in the morning; a service that starts on wrong settings is worse than one that does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bearward import (
    ConfigurationError,
    JWKSOptions,
    Revocations,
    SymmetricKey,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
    any_scope,
    claim,
    recent_authentication,
    scope,
)
from bearward.jose.algorithms import ALGORITHMS

A_SECRET = SymmetricKey(b"s" * 64, "HS512")
HTTP_TERMS = "(http is for loopback, or with unsafe_allow_http)"
NAMES = "must be a non-empty string or several of them"
MAP = "must map a claim's name to its accepted values"
VISIBLE = "must be visible ASCII without spaces, quotes and backslashes"
ALL = ", ".join(ALGORITHMS)
NEVER = "client-authentication+jwt, dpop+jwt, logout+jwt, oauth-authz-req+jwt, secevent+jwt"
TENANTS = "https://login.example/{tenant}"

ISSUERS: list[tuple[dict[str, Any], str]] = [
    ({"issuer": ""}, "issuer: must be the exact `iss` of the tokens, a non-empty string"),
    ({"issuer": " https://a"}, "issuer: must be the exact `iss` of the tokens, a non-empty string"),
    ({"issuer": "https://a.example/\udcff"}, "issuer: must be the exact `iss` of the tokens, a non-empty string"),
    ({"jwks_uri": "https://\udcff"}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": "https://\ud800"}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": "https://\udfff"}, "jwks_uri: must be an https URL"),
    ({"issuer": 1}, "issuer: must be the exact `iss` of the tokens, a non-empty string"),
    (
        {"issuer": "HTTP://login.example"},
        f"issuer: must be an https URL to discover keys from {HTTP_TERMS}; or say where the keys are: jwks_uri",
    ),
    ({"audience": ()}, "audience: must name at least one audience (or give client_ids, or keys_are_ours)"),
    ({"audience": ["a", ""]}, f"audience: {NAMES}"),
    ({"audience": 1}, f"audience: {NAMES}"),
    ({"client_ids": [1]}, f"client_ids: {NAMES}"),
    ({"required_claims": [""]}, f"required_claims: {NAMES}"),
    ({"algorithms": [1]}, f"algorithms: {NAMES}"),
    ({"algorithms": ["none"]}, f"algorithms: must be among {ALL}"),
    ({"algorithms": ["rs256"]}, f"algorithms: must be among {ALL}"),
    (
        {"algorithms": ["RS256", "HS256"]},
        "algorithms: must not hold HS* without symmetric_keys: never together with public keys",
    ),
    (
        {"algorithms": ["RS256"], "symmetric_keys": [A_SECRET]},
        "algorithms: must be HS* only where symmetric_keys are given",
    ),
    ({"jwks_uri": "ftp://a"}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": "https://"}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": "https://[::1"}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": 1}, "jwks_uri: must be an https URL"),
    ({"jwks_uri": "https://u@a"}, "jwks_uri: must be an https URL without user name and fragment"),
    ({"jwks_uri": "https://a#b"}, "jwks_uri: must be an https URL without user name and fragment"),
    (
        {"jwks_uri": "http://a.example"},
        "jwks_uri: must be an https URL (http is for loopback, or with unsafe_allow_http)",
    ),
    ({"jwks": {}}, "jwks: must be a JWK Set with a usable key: the document is no JWK Set"),
    ({"jwks": {"keys": []}}, "jwks: must be a JWK Set with a usable key: the JWK Set has no usable key"),
    ({"jwks": {"keys": [object()]}}, "jwks: must be a JWK Set with a usable key: it is not JSON"),
    (
        {"jwks_uri": "https://a", "jwks": {"keys": []}},
        "jwks_uri: must be the only source of keys: give one of jwks_uri, pem_uri, metadata_uri, jwks and symmetric_keys",
    ),
    ({"leeway": -1}, "leeway: must be a number of seconds between 0 and 300"),
    ({"leeway": 300.5}, "leeway: must be a number of seconds between 0 and 300"),
    ({"leeway": True}, "leeway: must be a number of seconds between 0 and 300"),
    ({"leeway": "1"}, "leeway: must be a number of seconds between 0 and 300"),
    ({"leeway": float("nan")}, "leeway: must be a number of seconds between 0 and 300"),
    ({"max_token_age": 0}, "max_token_age: must be a number of seconds above 0"),
    ({"max_token_age": 10**400}, "max_token_age: must be a number of seconds above 0"),
    ({"max_token_age": "1"}, "max_token_age: must be a number of seconds above 0"),
    ({"expected_claims": []}, f"expected_claims: {MAP}"),
    ({"expected_claims": {"": 1}}, f"expected_claims: {MAP}"),
    ({"expected_claims": {"a": []}}, f"expected_claims: {MAP}"),
    ({"expected_claims": {1: "a"}}, f"expected_claims: {MAP}"),
    (
        {"expected_claims": {"a": [None]}},
        "expected_claims: must have strings, numbers or booleans as values",
    ),
    ({"token_types": ()}, "token_types: must name at least one `typ`; None means an absent one"),
    ({"token_types": ("",)}, "token_types: must name at least one `typ`; None means an absent one"),
    ({"token_types": (1,)}, "token_types: must name at least one `typ`; None means an absent one"),
    ({"token_types": "application/Logout+JWT"}, f"token_types: must not hold {NEVER}: these are not access tokens"),
    ({"jwks_options": {}}, "jwks_options: must be a JWKSOptions"),
]


@pytest.mark.parametrize(("changes", "text"), ISSUERS, ids=[f"{number}" for number in range(len(ISSUERS))])
def test_invalid_issuer_settings_explain_themselves(changes: dict[str, Any], text: str) -> None:
    """Each wrong setting of a trusted issuer."""
    settings: dict[str, Any] = {"issuer": "https://login.example", "audience": "api", **changes}
    with pytest.raises(ConfigurationError) as refused:
        TrustedIssuer(settings.pop("issuer"), **settings)
    assert str(refused.value) == text
    assert f"{refused.value.setting}: {refused.value.requirement}" == text


OTHERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: claim(""), "claim: must name a claim, or be a tuple of names that leads to one"),
    (lambda: claim(1, "a"), "claim: must name a claim, or be a tuple of names that leads to one"),  # type: ignore[arg-type]
    (lambda: claim("role"), "claim('role'): must name at least one accepted value"),
    (lambda: claim("role", None), "claim('role'): its values must be strings, numbers or booleans"),  # type: ignore[arg-type]
    (recent_authentication, "recent_authentication: must ask for max_age, acr_values or both"),
    *(
        (
            lambda age=age: recent_authentication(max_age=age),
            "recent_authentication.max_age: must be a whole number of seconds, 0 or more",
        )
        for age in (-1, True, 1.5, "1", 10**15)
    ),
    *(
        (
            lambda values=values: recent_authentication(acr_values=values),
            "recent_authentication.acr_values: must be a tuple of non-empty strings",
        )
        for values in ("urn:a", ("",), (1,))
    ),
    (lambda: scope("a") & 1, "requirement: only requirements can be combined with & and |"),  # type: ignore[operator]
    (lambda: scope("a") | None, "requirement: only requirements can be combined with & and |"),  # type: ignore[operator]
    *(
        (lambda name=name, value=value: JWKSOptions(**{name: value}), f"{name}: must be a number")
        for name in ("max_age", "refresh_fraction", "poll_interval")
        for value in (10**400, -(10**400), True, "1", None, float("nan"), float("inf"))
    ),
    *(
        (
            lambda times=times: Revocations().revoke_subject("a", "b", **times),
            f"{setting}: must be seconds since the epoch, or infinity",
        )
        for setting in ("before", "until")
        for value in (float("nan"), -1, 10**400, True, "1", None)
        for times in ({"before": 1, setting: value},)
    ),
    (scope, "scope: must name at least one scope"),
    (any_scope, "scope: must name at least one scope"),
    *(
        (lambda name=name: scope("good", name), f"scope: {VISIBLE}")
        for name in ("", "a b", 'a"', "a\\", "a\x7f", "é", 1)
    ),
    (lambda: TenantIssuers("https://login.example/", audience="a"), "template: must be a template with one {tenant}"),
    (lambda: TenantIssuers(TENANTS * 2, audience="a"), "template: must be a template with one {tenant}"),
    (
        lambda: TenantIssuers(TENANTS, tenants=frozenset(), audience="a"),
        "tenants: must name at least one tenant, or be left out",
    ),
    (
        lambda: TenantIssuers(TENANTS),
        "audience: must name at least one audience (or give client_ids, or keys_are_ours)",
    ),
    (lambda: SymmetricKey(b"s" * 64, "RS256"), "symmetric_keys.algorithm: must be among HS256, HS384, HS512"),
    *(
        (
            lambda alg=alg, least=least: SymmetricKey(b"s" * (least - 1), alg),
            f"symmetric_keys.secret: must be at least {least} bytes for {alg}",
        )
        for alg, least in (("HS256", 32), ("HS384", 48), ("HS512", 64))
    ),
    (lambda: SymmetricKey("s" * 64), "symmetric_keys.secret: must be at least 32 bytes for HS256"),  # type: ignore[arg-type]
    (
        lambda: SymmetricKey(b"-----BEGIN PUBLIC KEY-----" + b"s" * 64),
        "symmetric_keys.secret: must be random octets, not a key or certificate",
    ),
    (Verifier, "issuers: must name at least one trusted issuer"),
    (lambda: Verifier(1), "issuers: must be TrustedIssuer, TenantIssuers or async resolvers"),  # type: ignore[arg-type]
    (
        lambda: Verifier("https://login.example"),  # type: ignore[arg-type]
        "issuers: must be TrustedIssuer, TenantIssuers or async resolvers; an issuer is TrustedIssuer(issuer, audience=…)",
    ),
    (
        lambda: Verifier([TrustedIssuer("https://a", audience="a")]),  # type: ignore[arg-type]
        "issuers: must be TrustedIssuer, TenantIssuers or async resolvers; give several as separate arguments",
    ),
    (
        lambda: Verifier(*(TrustedIssuer("https://a", audience=audience) for audience in "ab")),
        "issuers: must not name the same issuer twice, unless token_types or one of expected_claims tells them apart",
    ),
    (
        lambda: Revocations(max_entries=0).revoke_token("a", "b", until=2e9),
        "revocations: must stay below 0 entries that may still matter",
    ),
]


@pytest.mark.parametrize(("make", "text"), OTHERS, ids=[f"{number}" for number in range(len(OTHERS))])
def test_invalid_settings_explain_themselves(make: Callable[[], Any], text: str) -> None:
    """Requirements, tenants, secrets, verifiers and lists of revocations."""
    with pytest.raises(ConfigurationError) as refused:
        make()
    assert str(refused.value) == text


def test_boundary_values_are_accepted() -> None:
    """The last values on the right side of each bound."""
    TrustedIssuer("https://login.example", audience="api", leeway=300, max_token_age=0.001)
    TrustedIssuer("https://login.example", audience="api", leeway=0, max_token_age=1)
    assert recent_authentication(max_age=0) == recent_authentication(max_age=0)
    assert recent_authentication(max_age=10**15 - 1) != recent_authentication(max_age=0)
    assert scope("!", "~", "#", "[", "]", "XX").scopes == ("!", "~", "#", "[", "]", "XX")
    for alg, least in (("HS256", 32), ("HS384", 48), ("HS512", 64)):
        assert SymmetricKey(b"s" * least, alg).algorithm == alg
