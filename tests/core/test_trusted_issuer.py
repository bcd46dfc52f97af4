"""Trusted issuers: valid settings are compiled, invalid ones raise an error that names the setting."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from bearward.errors import ConfigurationError
from bearward.fetch.urls import check_url, is_loopback_host
from bearward.issuers import TenantIssuers
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.testing import SigningKey
from bearward.trusted_issuer import TrustedIssuer

ISSUER, AUDIENCE = "https://login.example", "https://api.example"
KEY = SigningKey.generate("ES256", kid="k")
JWKS = {"keys": [KEY.public_jwk()]}
SECRET = SymmetricKey(b"x" * 64, "HS512")

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "issuer empty": ("issuer", {"issuer": ""}),
    "issuer with a space": ("issuer", {"issuer": ISSUER + " "}),
    "issuer with an end of line": ("issuer", {"issuer": ISSUER + "\nERROR forged"}),
    "issuer that turns a line around": ("issuer", {"issuer": ISSUER + "\u202e"}),
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
    "future_leeway too long": ("future_leeway", {"future_leeway": 301}),
    "future_leeway true": ("future_leeway", {"future_leeway": True}),
    "issuer as the metadata's address": ("issuer", {"issuer": ISSUER + "/.well-known/openid-configuration"}),
    "issuer as RFC 8414 metadata": ("issuer", {"issuer": ISSUER + "/.well-known/oauth-authorization-server/a"}),
    "issuer of a shell": ("issuer", {"issuer": "https://${TENANT}.example"}),
    "issuer of Entra's metadata": ("issuer", {"issuer": "https://login.example/{tenantid}/v2.0"}),
    "issuer no address and no keys": ("issuer", {"issuer": "accounts.example"}),
    "issuer of another scheme and no keys": ("issuer", {"issuer": "urn:example:issuer"}),
    "audience of a shell": ("audience", {"audience": ["a", "${API}"]}),
    "audience of a template engine": ("audience", {"audience": "{{ api }}"}),
    "audience a mapping": ("audience", {"audience": {"a": "b"}}),
    "jwks_uri with a placeholder": ("jwks_uri", {"jwks_uri": ISSUER + "/{realm}/keys"}),
    "expected_claims with a placeholder": ("expected_claims", {"expected_claims": {"tid": ["$(TENANT)"]}}),
    "secret no key": ("symmetric_keys", {"symmetric_keys": [b"x" * 64]}),
    "secret alone and no key": ("symmetric_keys", {"symmetric_keys": "x" * 64}),
    "jwks as text": ("jwks", {"jwks": json.dumps(JWKS)}),
    "unsafe_allow_http as text": ("unsafe_allow_http", {"unsafe_allow_http": "false"}),
    "unsafe_any_audience as a number": ("unsafe_any_audience", {"unsafe_any_audience": 1}),
    "unsafe_allow_no_expiry as text": ("unsafe_allow_no_expiry", {"unsafe_allow_no_expiry": "no"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_settings_raise_configuration_error(name: str) -> None:
    """The error names the setting, says what it must be, and shows no secret."""
    setting, changes = REFUSED[name]
    settings = {"issuer": ISSUER, "audience": AUDIENCE, **changes}
    with pytest.raises(ConfigurationError) as wrong:
        TrustedIssuer(settings.pop("issuer"), **settings)
    assert wrong.value.setting == setting
    assert wrong.value.requirement.startswith("must ")
    assert "x" * 64 not in str(wrong.value)


def test_defaults_are_strict() -> None:
    """No leeway but five seconds for a clock that is ahead, `exp` is required, every asymmetric algorithm but ES256K, three types."""
    trusted = TrustedIssuer(ISSUER, audience=AUDIENCE)
    assert (trusted.leeway, trusted.required_claims, trusted.max_token_age) == (0.0, ("exp",), None)
    assert (trusted.future_leeway, trusted.max_clock_lead) == (5.0, 5.0)
    assert trusted.audience == {AUDIENCE}
    assert {"RS256", "PS512", "ES384", "EdDSA", "Ed448"} <= set(trusted.algorithms)
    assert not {"HS256", "none", "ES256K"} & set(trusted.algorithms)
    assert trusted.token_types == {None, "jwt", "at+jwt"}
    assert trusted.static_keys is None


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
    "the longest leeway": ({"leeway": 300}, {"leeway": 300, "max_clock_lead": 300}),
    "no leeway at all": ({"future_leeway": 0}, {"max_clock_lead": 0.0}),
    "a leeway below the one for the future": ({"leeway": 2}, {"max_clock_lead": 5.0}),
    "one secret": ({"symmetric_keys": SECRET}, {"symmetric_keys": (SECRET,)}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_settings_are_compiled(name: str) -> None:
    """Names become sets, texts become one of several, media types their short form."""
    settings, compiled = ACCEPTED[name]
    trusted = TrustedIssuer(ISSUER, **{"audience": AUDIENCE, **settings})
    assert {field: getattr(trusted, field) for field in compiled} == compiled


def test_static_keys_are_parsed_at_once() -> None:
    """A configured set is parsed at once; a configured secret is a key like another; neither is shown."""
    static = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=JWKS)
    assert static.static_keys is not None
    assert static.static_keys.holds("k")
    assert json.dumps(JWKS["keys"][0]["x"]) not in repr(static)
    secret = TrustedIssuer(ISSUER, audience=AUDIENCE, symmetric_keys=[SECRET])
    assert secret.static_keys is not None
    assert [key.algorithms for key in secret.static_keys.keys] == [{"HS512"}]
    assert "xxx" not in repr(secret)


def test_trusted_issuer_is_immutable() -> None:
    """Neither its fields nor what it expects can be changed."""
    trusted = TrustedIssuer(ISSUER, audience=AUDIENCE, expected_claims={"a": "b"})
    with pytest.raises(AttributeError):
        trusted.leeway = 300.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        trusted.expected_claims["a"] = "c"  # type: ignore[index]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("localhost", True), ("LOCALHOST.", True),
        ("localhost.example", False), ("127.0.0.1.example", False), ("10.0.0.1", False), ("0.0.0.0", False),
        ("169.254.169.254", False), ("::ffff:10.0.0.1", False), ("", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_loopback_hosts(host: str, local: bool) -> None:
    """This machine by its very name; nothing is looked up."""
    assert is_loopback_host(host) is local


IDENTIFIERS = [
    "http://adfs.example/adfs/services/trust",
    "accounts.google.com",
    "issuer",
    "ci@project.example",
    "urn:a:b",
]
SOURCES: list[dict[str, Any]] = [
    {"jwks_uri": "https://keys.example/jwks"},
    {"jwks": JWKS},
    {"symmetric_keys": [SECRET]},
    {"jwks_options": JWKSOptions(jwks_file="keys.json")},
]


@pytest.mark.parametrize("issuer", IDENTIFIERS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: next(iter(source)))
def test_issuer_identifier_need_not_be_a_url(issuer: str, source: dict[str, Any]) -> None:
    """Nothing is fetched from an `iss` where the keys are elsewhere; where they are not, it must be an https URL."""
    assert TrustedIssuer(issuer, audience=AUDIENCE, **source).issuer == issuer
    with pytest.raises(ConfigurationError, match="issuer: must be an https URL to discover keys from"):
        TrustedIssuer(issuer, audience=AUDIENCE)
    with pytest.raises(ConfigurationError, match="jwks_uri: must be an https URL"):
        TrustedIssuer(issuer, audience=AUDIENCE, jwks_uri="http://keys.example/jwks")


@pytest.mark.parametrize("host", ["tenant1.localhost:8080", "a.b.localhost", "127.8.9.10", "[::1]:1"])
def test_loopback_is_one_thing(host: str) -> None:
    """What keys may be fetched from over http may be trusted by http (RFC 6761 section 6.3)."""
    address = f"http://{host}/realm"
    assert check_url(address) == address
    TrustedIssuer(address, audience=AUDIENCE)
    TrustedIssuer(ISSUER, audience=AUDIENCE, jwks_uri=address)
    TenantIssuers("http://{tenant}.localhost:8080/realm", audience=AUDIENCE)


COPIES: dict[str, Callable[[TrustedIssuer], TrustedIssuer]] = {
    "pickle": lambda trusted: pickle.loads(pickle.dumps(trusted)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "replace": dataclasses.replace,
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", ACCEPTED)
def test_copy_is_equal_and_as_strict(way: str, name: str) -> None:
    """A worker process that is spawned is given its configuration by pickle."""
    settings: dict[str, Any] = {"audience": AUDIENCE, "jwks_options": JWKSOptions(), **ACCEPTED[name][0]}
    trusted = TrustedIssuer(ISSUER, **settings)
    copied = COPIES[way](trusted)
    assert copied == trusted
    assert hash(copied) == hash(trusted)
    for item in dataclasses.fields(TrustedIssuer):
        if item.name != "static_keys":
            assert getattr(copied, item.name) == getattr(trusted, item.name)
    assert (copied.static_keys is None) == (trusted.static_keys is None)


def test_copy_has_the_same_static_keys() -> None:
    """They are parsed again from what was configured."""
    trusted = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=JWKS)
    for copied in (way(trusted) for way in COPIES.values()):
        assert copied.static_keys is not None
        assert trusted.static_keys is not None
        assert copied.static_keys.thumbprint == trusted.static_keys.thumbprint


@pytest.mark.parametrize("host", ["localhostX", "localhostx", "xlocalhost", "localhost.x", "127.0.0.1.x", ""])
def test_only_exact_loopback_names_may_use_http(host: str) -> None:
    """Plain http is for this machine's own names only."""
    assert not is_loopback_host(host)
    assert is_loopback_host("LOCALHOST.")
    assert is_loopback_host("localhost..")


def test_plain_http_is_for_who_says_so() -> None:
    """For the issuer itself as for its keys."""
    assert TrustedIssuer("http://login.example", audience="api", unsafe_allow_http=True).unsafe_allow_http
    local = TrustedIssuer("http://127.0.0.1:1", audience="api", jwks_uri="http://localhost:1/jwks")
    assert local.jwks_uri == "http://localhost:1/jwks"
