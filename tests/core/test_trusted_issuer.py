"""A policy: what can be meant is compiled, what cannot refuses to be built and names the setting."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bearward.errors import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from bearward.jose.jwk import SymmetricKey
from bearward.testing import SigningKey
from bearward.trusted_issuer import TrustedIssuer

ISSUER, AUDIENCE = "https://login.example", "https://api.example"
KEY = SigningKey.generate("ES256", kid="k")
JWKS = {"keys": [KEY.public_jwk()]}
SECRET = SymmetricKey(b"x" * 64, "HS512")

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "issuer empty": ("issuer", {"issuer": ""}),
    "issuer with a space": ("issuer", {"issuer": ISSUER + " "}),
    "issuer no text": ("issuer", {"issuer": None}),
    "issuer by http": ("issuer", {"issuer": "http://login.example"}),
    "issuer by HTTP in capitals": ("issuer", {"issuer": "HTTP://login.example"}),
    "issuer that looks like loopback": ("issuer", {"issuer": "http://localhost.example"}),
    "no audience": ("audience", {"audience": ()}),
    "audience empty": ("audience", {"audience": ""}),
    "audience with an empty one": ("audience", {"audience": ["a", ""]}),
    "audience a number": ("audience", {"audience": 1}),
    "audience with a number": ("audience", {"audience": [1]}),
    "client_ids empty text": ("client_ids", {"client_ids": [""]}),
    "algorithm none": ("algorithms", {"algorithms": ["none"]}),
    "algorithm unknown": ("algorithms", {"algorithms": ["RS255"]}),
    "algorithm in lower case": ("algorithms", {"algorithms": ["rs256"]}),
    "HS256 beside public keys": ("algorithms", {"algorithms": ["RS256", "HS256"]}),
    "HS256 without a secret": ("algorithms", {"algorithms": "HS256"}),
    "RS256 beside secrets": ("algorithms", {"algorithms": ["RS256"], "symmetric_keys": [SECRET]}),
    "two sources of keys": ("jwks_uri", {"jwks_uri": ISSUER + "/jwks", "jwks": JWKS}),
    "secrets and a source": ("jwks_uri", {"jwks_uri": ISSUER + "/jwks", "symmetric_keys": [SECRET]}),
    "secrets and keys": ("jwks_uri", {"jwks": JWKS, "symmetric_keys": [SECRET]}),
    "jwks_uri by http": ("jwks_uri", {"jwks_uri": "http://login.example/jwks"}),
    "jwks_uri of another scheme": ("jwks_uri", {"jwks_uri": "file:///etc/passwd"}),
    "jwks_uri without a host": ("jwks_uri", {"jwks_uri": "https:///jwks"}),
    "jwks_uri with a password": ("jwks_uri", {"jwks_uri": "https://u:p@login.example/jwks"}),
    "jwks_uri with a fragment": ("jwks_uri", {"jwks_uri": ISSUER + "/jwks#a"}),
    "jwks_uri broken": ("jwks_uri", {"jwks_uri": "https://[::1/jwks"}),
    "jwks_uri no text": ("jwks_uri", {"jwks_uri": 1}),
    "jwks without keys": ("jwks", {"jwks": {"keys": []}}),
    "jwks with a secret alone": ("jwks", {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
    "jwks that is no JSON": ("jwks", {"jwks": {"keys": {1}}}),
    "leeway negative": ("leeway", {"leeway": -1}),
    "leeway too long": ("leeway", {"leeway": 300.1}),
    "leeway true": ("leeway", {"leeway": True}),
    "leeway no number": ("leeway", {"leeway": "5"}),
    "leeway not a number": ("leeway", {"leeway": math.nan}),
    "max_token_age 0": ("max_token_age", {"max_token_age": 0}),
    "max_token_age negative": ("max_token_age", {"max_token_age": -1}),
    "max_token_age not a number": ("max_token_age", {"max_token_age": math.nan}),
    "required_claims with an empty one": ("required_claims", {"required_claims": [""]}),
    "expected_claims a list": ("expected_claims", {"expected_claims": ["a"]}),
    "expected_claims without values": ("expected_claims", {"expected_claims": {"a": []}}),
    "expected_claims of null": ("expected_claims", {"expected_claims": {"a": None}}),
    "expected_claims of objects": ("expected_claims", {"expected_claims": {"a": [{}]}}),
    "expected_claims without a name": ("expected_claims", {"expected_claims": {"": "a"}}),
    "no token_types": ("token_types", {"token_types": []}),
    "token_types empty text": ("token_types", {"token_types": [""]}),
    "token_types with a number": ("token_types", {"token_types": [1]}),
    "logout tokens": ("token_types", {"token_types": ["JWT", "logout+jwt"]}),
    "DPoP proofs": ("token_types", {"token_types": "application/DPoP+jwt"}),
    "request objects": ("token_types", {"token_types": ["oauth-authz-req+jwt"]}),
    "options of another type": ("jwks_options", {"jwks_options": {}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant(name: str) -> None:
    """The error names the setting, says what it must be, and shows no secret."""
    setting, changes = REFUSED[name]
    settings = {"issuer": ISSUER, "audience": AUDIENCE, **changes}
    with pytest.raises(ConfigurationError) as wrong:
        TrustedIssuer(settings.pop("issuer"), **settings)
    assert wrong.value.setting == setting
    assert wrong.value.requirement.startswith("must ")
    assert "x" * 64 not in str(wrong.value)


def test_defaults_are_strict() -> None:
    """No leeway, `exp` is required, every asymmetric algorithm but ES256K, three types."""
    policy = TrustedIssuer(ISSUER, audience=AUDIENCE)
    assert (policy.leeway, policy.required_claims, policy.max_token_age) == (0.0, ("exp",), None)
    assert policy.audience == {AUDIENCE}
    assert {"RS256", "PS512", "ES384", "EdDSA", "Ed448"} <= set(policy.algorithms)
    assert not {"HS256", "none", "ES256K"} & set(policy.algorithms)
    assert policy.token_types == {None, "jwt", "at+jwt"}
    assert policy.static_keys is None


ACCEPTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "several audiences": ({"audience": ["a", "b"]}, {"audience": {"a", "b"}}),
    "clients instead": ({"audience": (), "client_ids": "c"}, {"audience": frozenset(), "client_ids": {"c"}}),
    "any audience by choice": ({"audience": (), "unsafe_any_audience": True}, {"audience": frozenset()}),
    "one algorithm": ({"algorithms": "ES256"}, {"algorithms": {"ES256"}}),
    "ES256K by choice": ({"algorithms": ["ES256K"]}, {"algorithms": {"ES256K"}}),
    "the algorithms of the secrets": ({"symmetric_keys": [SECRET]}, {"algorithms": {"HS512"}}),
    "HS256 with a secret": ({"symmetric_keys": [SECRET], "algorithms": ["HS256"]}, {"algorithms": {"HS256"}}),
    "one type": ({"token_types": "application/AT+JWT"}, {"token_types": {"at+jwt"}}),
    "absent type alone": ({"token_types": [None]}, {"token_types": {None}}),
    "age needs iat": ({"max_token_age": 60}, {"required_claims": ("exp", "iat")}),
    "required once": ({"required_claims": ["sub", "exp", "iss"]}, {"required_claims": ("exp", "sub")}),
    "no expiry by choice": ({"unsafe_allow_no_expiry": True}, {"required_claims": ()}),
    "expected, one value": ({"expected_claims": {"use": "access"}}, {"expected_claims": {"use": ("access",)}}),
    "http by choice": ({"unsafe_allow_http": True, "jwks_uri": "http://a.example/jwks"}, {}),
    "http on loopback": ({"jwks_uri": "http://127.0.0.1:1/jwks"}, {}),
    "the longest leeway": ({"leeway": 300}, {"leeway": 300}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_compiled(name: str) -> None:
    """Names become sets, texts become one of several, media types their short form."""
    settings, compiled = ACCEPTED[name]
    policy = TrustedIssuer(ISSUER, **{"audience": AUDIENCE, **settings})
    assert {field: getattr(policy, field) for field in compiled} == compiled


def test_static_keys() -> None:
    """A configured set is parsed at once; a configured secret is a key like another; neither is shown."""
    static = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=JWKS)
    assert static.static_keys is not None
    assert static.static_keys.holds("k")
    assert json.dumps(JWKS["keys"][0]["x"]) not in repr(static)
    secret = TrustedIssuer(ISSUER, audience=AUDIENCE, symmetric_keys=[SECRET])
    assert secret.static_keys is not None
    assert [key.algorithms for key in secret.static_keys.keys] == [{"HS512"}]
    assert "xxx" not in repr(secret)


def test_a_policy_is_immutable() -> None:
    """Neither its fields nor what it expects can be changed."""
    policy = TrustedIssuer(ISSUER, audience=AUDIENCE, expected_claims={"a": "b"})
    with pytest.raises(AttributeError):
        policy.leeway = 300.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.expected_claims["a"] = "c"  # type: ignore[index]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("localhost", True), ("LOCALHOST.", True),
        ("localhost.example", False), ("127.0.0.1.example", False), ("10.0.0.1", False), ("0.0.0.0", False),
        ("169.254.169.254", False), ("::ffff:10.0.0.1", False), ("", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_loopback_by_name(host: str, local: bool) -> None:
    """This machine by its very name; nothing is looked up."""
    assert is_loopback_host(host) is local
