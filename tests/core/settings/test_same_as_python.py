"""Whatever an issuer's settings are in Python can be said in a file and in `BEARWARD_ISSUERS`, and comes to the same."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from bearward import (
    ConfigurationError,
    CredentialPlace,
    JWKSOptions,
    RightsFrom,
    Settings,
    TenantIssuers,
    TrustedIssuer,
    profiles,
)
from bearward.settings.catalogue import SECRET_FILES, VARIABLES
from tests.core.settings.test_mistakes import HEAD

PYTHON_ONLY: Final = {
    "claims_type": "is a type of the program",
    "jwks_options": "is the table keys",
    "jwks_options.sources": "are objects of the program",
}
"""What neither a file nor a variable can say, and why."""
SAID: Final[Mapping[str, tuple[str, Any]]] = {
    "issuer": ('"https://login.example"', "https://login.example"),
    "audience": ('["a", "b"]', ["a", "b"]),
    "client_ids": ('["c"]', ["c"]),
    "jwks_uri": ('"https://login.example/jwks"', "https://login.example/jwks"),
    "metadata_uri": ('"https://login.example/metadata"', "https://login.example/metadata"),
    "pem_uri": ('"https://login.example/{kid}"', "https://login.example/{kid}"),
    "jwks": (
        '{ keys = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] }',
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
    ),
    "symmetric_keys": ('[{ secret = "0123456789abcdef0123456789abcdef", algorithm = "HS256" }]', None),
    "algorithms": ('["ES256"]', ["ES256"]),
    "leeway": ("5", 5),
    "future_leeway": ("6", 6),
    "max_token_age": ("600", 600),
    "required_claims": ('["sub"]', ["sub"]),
    "expected_claims": ('{ token_use = "access" }', {"token_use": "access"}),
    "token_types": ('["at+jwt", ""]', ["at+jwt", None]),
    "sender": ('"bearer"', "bearer"),
    "refused_claims": ('["nonce"]', ["nonce"]),
    "authorized_parties": ('["p"]', ["p"]),
    "keys_are_ours": ("true", True),
    "single_use": ("true", True),
    "subject_claim": ('["oid"]', ["oid"]),
    "client_claim": ('"appid"', "appid"),
    "rights": (
        '[{ claim = ["realm_access", "roles"], prefix = "role:" }]',
        [RightsFrom(("realm_access", "roles"), prefix="role:")],
    ),
    "place": (
        '{ header = "x-token", padded = true, header_claims = ["iss"] }',
        CredentialPlace(header="x-token", padded=True, header_claims=["iss"]),
    ),
    "unsafe_allow_http": ("true", True),
    "unsafe_allow_no_expiry": ("true", True),
    "unsafe_any_audience": ("true", True),
}
"""Each setting of an issuer as TOML, and as Python; None where it is compared in another way."""
BESIDE: Final[Mapping[str, dict[str, str]]] = {
    "single_use": {"sender": '"bearer"'},
    "keys_are_ours": {"jwks_uri": '"https://login.example/jwks"'},
}


def _table(name: str) -> dict[str, str]:
    own = {"issuer": '"https://login.example"', **({} if name == "keys_are_ours" else {"audience": '"a"'})}
    return {**own, **BESIDE.get(name, {}), name: SAID[name][0]}


def test_every_setting_of_an_issuer_is_in_the_table() -> None:
    """One that is added to the class and not to this table makes this fail."""
    settable = {field.name for field in fields(TrustedIssuer) if field.init}
    assert settable == SAID.keys() | {name for name in PYTHON_ONLY if "." not in name}


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("source", ["a file", "variables"])
def test_issuer_s_setting_can_be_said(name: str, source: str, tmp_path: Path) -> None:
    """In a file, and in `BEARWARD_ISSUERS`; it comes to what Python comes to."""
    text = "[[issuers]]\n" + "".join(f"{key} = {value}\n" for key, value in _table(name).items())
    if source == "a file":
        path = tmp_path / "settings.toml"
        path.write_text(text)
        (made,) = Settings.from_toml(path).issuers
    else:
        (made,) = Settings.from_environment({"BEARWARD_ISSUERS": json.dumps(tomllib.loads(text)["issuers"])}).issuers
    assert isinstance(made, TrustedIssuer)
    if name == "symmetric_keys":
        assert [key.algorithm for key in made.symmetric_keys] == ["HS256"]
        return
    python = {
        key: SAID[key][1] if key == name else tomllib.loads(f"x = {value}")["x"] for key, value in _table(name).items()
    }
    assert made == TrustedIssuer(**python)


OPTIONS: Final[Mapping[str, str]] = {
    "max_age": "60", "min_age": "1", "refresh_fraction": "0.6", "stale_if_error": "60", "cooldown": "1", "burst": "3",
    "max_backoff": "60", "max_unknown_kids": "8", "max_waiters": "8", "connect_timeout": "1", "read_timeout": "1",
    "total_timeout": "2", "max_body": "1024", "headers": '{ x-key = "v" }', "ca_file": '"FILE"', "client_cert": '"FILE"',
    "client_key": '"FILE"', "proxy": '"http://proxy.example:1"', "x5c_authorities": '"PEM"', "same_origin": "true",
    "metadata": '"oauth"', "unsafe_allow_private_addresses": "true", "jwks_file": '"FILE"', "start": '"lazy"',
    "start_wait": "0.5", "snapshot_dir": '"FILE"', "poll_interval": "1",
}  # fmt: skip


def test_every_option_of_keys_is_in_the_table() -> None:
    """As for issuers."""
    assert {field.name for field in fields(JWKSOptions) if field.init} == OPTIONS.keys() | {"sources"}


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - {"x5c_authorities"}))  # that has tests/core/jwks/test_x5c.py
def test_option_of_keys_can_be_said(name: str, tmp_path: Path) -> None:
    """In the table `keys` of an issuer."""
    file = tmp_path / "a.pem"
    file.write_text("x")
    more = 'client_cert = "FILE"\n' if name == "client_key" else ""
    path = tmp_path / "settings.toml"
    text = f"{HEAD}[issuers.keys]\n{more}{name} = {OPTIONS[name]}\n"
    path.write_text(text.replace("FILE", str(file)))
    (made,) = Settings.from_toml(path).issuers
    assert made.jwks_options != JWKSOptions()
    default, said = getattr(JWKSOptions(), name), getattr(made.jwks_options, name)
    assert said != default


def test_template_takes_the_settings_of_an_issuer(tmp_path: Path) -> None:
    """Tenants are said by a file and by `BEARWARD_ISSUERS`."""
    table = {"template": "https://login.example/{tenant}", "tenants": ["a", "b"], "max_tenants": 5, "audience": "x",
             "client_ids": ["c"], "expected_claims": {"tid": "{tenant}"}, "rights": ["roles"]}  # fmt: skip
    python = TenantIssuers(
        "https://login.example/{tenant}", tenants=frozenset({"a", "b"}), max_tenants=5, audience="x",
        client_ids=["c"], expected_claims={"tid": "{tenant}"}, rights=["roles"],
    )  # fmt: skip
    (made,) = Settings.from_environment({"BEARWARD_ISSUERS": json.dumps([table])}).issuers
    assert isinstance(made, TenantIssuers)
    assert made.issuer_for("https://login.example/a") == python.issuer_for("https://login.example/a")
    assert made.issuer_for("https://login.example/c") is None


def test_every_secret_may_come_from_a_file() -> None:
    """Each variable that may hold one: a secret, an address with a password, a header, issuers with shared keys."""
    ends = ("SECRET", "CACHE", "ISSUERS", "PROXY", "HEADERS", "SYMMETRIC_KEYS")
    may = {name for name in VARIABLES if name.endswith(ends) and "UNSAFE" not in name}
    assert may - {"BEARWARD_TOKEN_CACHE"} == set(SECRET_FILES.values())


def test_profile_of_every_name_can_be_said() -> None:
    """By the name of its function; a near one is named."""
    for name in ("keycloak", "aws_alb", "client_assertion"):
        assert callable(getattr(profiles, name))
        with pytest.raises(ConfigurationError, match=f"did you mean '{name}'"):
            profiles.trusted_by_profile(f"{name}x", {})
