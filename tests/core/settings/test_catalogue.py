"""The list of settings: whatever is in it can be said in a file and by a variable, and every mistake in it is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any, Final

import pytest

from bearward import (
    ConfigurationError,
    CredentialPlace,
    JWKSOptions,
    SharedRevocations,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
)
from bearward.jose.jwk import SymmetricKey
from bearward.settings import Settings
from bearward.settings.catalogue import PREFIX, SECRET_FILES, SETTINGS, VARIABLES, Setting, Table, names_in
from tests.core.settings.test_mistakes import HEAD
from tests.core.settings.test_same_as_python import OPTIONS, SAID

GOOD: Final = {"BEARWARD_ISSUER": "https://login.example", "BEARWARD_AUDIENCE": "a"}
SHARED: Final = {"BEARWARD_CACHE": "redis://cache", "BEARWARD_CACHE_SECRET": "0123456789abcdef"}
DPOP: Final = {"BEARWARD_DPOP": "allowed", "BEARWARD_ORIGINS": "https://api.example"}
REVOKING: Final = {**SHARED, "BEARWARD_REVOCATIONS_ON_FAILURE": "accept"}
TEMPLATE: Final = {"BEARWARD_ISSUER": "", "BEARWARD_TEMPLATE": "https://login.example/{tenant}"}
KEYS_OF_ISSUER: Final = (
    '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind) if field.init}


def test_list_has_every_setting() -> None:
    """Whatever the classes take that check the settings, but for what only a program can make."""
    assert names_in(Table.ISSUER) - {"profile", "keys"} == _names(TrustedIssuer) - {"jwks_options", "claims_type"}
    assert names_in(Table.KEYS) == _names(JWKSOptions) - {"sources"}
    assert names_in(Table.PLACE) == _names(CredentialPlace)
    assert names_in(Table.SYMMETRIC_KEYS) - {"secret_base64url"} == _names(SymmetricKey)
    assert names_in(Table.TENANTS) == set(signature(TenantIssuers).parameters) - {"settings"}
    assert names_in(Table.REVOCATIONS) == set(signature(SharedRevocations).parameters) - {"clock"}
    assert names_in(Table.TOP) | {"revocations", "dpop"} == _names(Settings) - {"extra", "prefix", "given_as", "files"}


def test_every_setting_of_an_issuer_has_a_variable() -> None:
    """But for tables, whose settings have one each, and what stands in arrays and objects."""
    without = {each.name for each in SETTINGS if each.variable is None}
    inside = names_in(Table.PLACE) | names_in(Table.SYMMETRIC_KEYS)
    assert without == inside | {"keys"}
    assert len(VARIABLES) == len([each for each in SETTINGS if each.variable is not None])
    assert not VARIABLES.keys() & SECRET_FILES.keys()


VALUES: Final[Mapping[str, tuple[str, dict[str, str]]]] = {
    "BEARWARD_ISSUERS": ('[{"issuer": "https://other.example", "audience": "b"}]', dict.fromkeys(GOOD, "")),
    "BEARWARD_CACHE": ("redis://cache", {}),
    "BEARWARD_CACHE_SECRET": ("0123456789abcdef", {}),
    "BEARWARD_UNSAFE_ALLOW_UNAUTHENTICATED_CACHE": ("true", {}),
    "BEARWARD_TOKEN_CACHE": ("1000", {}),
    "BEARWARD_EXPLAIN": ("true", {}),
    "BEARWARD_UNSAFE_EXPLAIN_REMOTE": ("true", {}),
    "BEARWARD_ISSUER": ("https://other.example", {}),
    "BEARWARD_AUDIENCE": ("b, c", {}),
    "BEARWARD_JWKS": (KEYS_OF_ISSUER, {}),
    "BEARWARD_SYMMETRIC_KEYS": ('[{"secret": "0123456789abcdef0123456789abcdef", "kid": "k"}]', {}),
    "BEARWARD_EXPECTED_CLAIMS": ('{"token_use": "access"}', {}),
    "BEARWARD_TOKEN_TYPES": ('["at+jwt", ""]', {}),
    "BEARWARD_SINGLE_USE": ("true", {"BEARWARD_SENDER": "bearer"}),
    "BEARWARD_KEYS_ARE_OURS": ("true", {"BEARWARD_AUDIENCE": "", "BEARWARD_JWKS_URI": "https://login.example/jwks"}),
    "BEARWARD_RIGHTS": ('["scope", ["realm_access", "roles"]]', {}),
    "BEARWARD_PLACE": ('{"header": "x-token"}', {}),
    "BEARWARD_PROFILE": (
        "keycloak",
        {"BEARWARD_ISSUER": "", "BEARWARD_PROFILE_HOST": "k.example", "BEARWARD_PROFILE_REALM": "r"},
    ),
    "BEARWARD_TEMPLATE": ("https://login.example/{tenant}", {"BEARWARD_ISSUER": ""}),
    "BEARWARD_TENANTS": ("a, b", TEMPLATE),
    "BEARWARD_MAX_TENANTS": ("7", TEMPLATE),
    "BEARWARD_KEYS_HEADERS": ('{"X-Key": "v"}', {}),
    "BEARWARD_KEYS_CLIENT_KEY": ("FILE", {"BEARWARD_KEYS_CLIENT_CERT": "FILE"}),
    "BEARWARD_REVOCATIONS_ON_FAILURE": ("refuse", SHARED),
    "BEARWARD_REVOCATIONS_CACHE": ("redis://revocations", REVOKING),
    "BEARWARD_REVOCATIONS_CACHE_SECRET": ("fedcba9876543210", REVOKING),
    "BEARWARD_REVOCATIONS_NAME": ("other", REVOKING),
    "BEARWARD_REVOCATIONS_GRACE": ("5", REVOKING),
    "BEARWARD_REVOCATIONS_POLL_INTERVAL": ("0.5", REVOKING),
    "BEARWARD_DPOP": ("required", DPOP),
    "BEARWARD_ORIGINS": ("https://b.example", DPOP),
    "BEARWARD_DPOP_PREFIX": ("/orders", DPOP),
    "BEARWARD_DPOP_ALGORITHMS": ("ES256", DPOP),
    "BEARWARD_DPOP_NONCE": ("on", DPOP),
    "BEARWARD_DPOP_NONCE_SECRET": ("0123456789abcdef", {**DPOP, "BEARWARD_DPOP_NONCE": "on"}),
    "BEARWARD_DPOP_WINDOW": ("30", DPOP),
    "BEARWARD_DPOP_ON_FAILURE": ("accept", {**DPOP, **SHARED}),
}
"""A value of each variable that is not that of the field in `SAID` or `OPTIONS`, and what must stand beside it."""

ALONE: Final = {"BEARWARD_ISSUERS", "BEARWARD_PROFILE", "BEARWARD_TEMPLATE", "BEARWARD_KEYS_ARE_OURS"}
"""Without which nobody would be trusted."""


def _as_text(value: str) -> str:
    """TOML of `SAID` and `OPTIONS` as a variable says it."""
    value = value.replace("x-key =", '"x-key":')
    return value.strip('"') if value.startswith('"') else value


def value_of(name: str, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A good value of a variable, and the variables beside it."""
    setting = VARIABLES[name]
    table = OPTIONS if setting.table is Table.KEYS else {key: said for key, (said, _) in SAID.items()}
    value, beside = VALUES[name] if name in VALUES else (_as_text(table[setting.name]), {})
    file = tmp_path / "a.pem"
    file.write_text("x")
    return value.replace("FILE", str(file)), {
        key: each.replace("FILE", str(file)) for key, each in {**GOOD, **beside}.items()
    }


@pytest.mark.parametrize("name", sorted(VARIABLES.keys() - {"BEARWARD_KEYS_X5C_AUTHORITIES"}))  # see test_x5c.py
def test_every_variable_is_obeyed(name: str, tmp_path: Path) -> None:
    """It changes the settings, and they make a verifier."""
    value, beside = value_of(name, tmp_path)
    settings = Settings.load({**beside, name: value})
    if name != "BEARWARD_CACHE":  # which needs a secret
        assert isinstance(settings.verifier(), Verifier)
    if name not in ALONE:
        assert settings != Settings.load(beside)


def test_single_use_is_said_by_variables_alone() -> None:
    """With the sender, which it asks for; in a fleet, with what its store's failure means."""
    environ = {**GOOD, **SHARED, "BEARWARD_SENDER": "bearer", "BEARWARD_SINGLE_USE": "true"}
    settings = Settings.load({**environ, "BEARWARD_DPOP_ON_FAILURE": "accept"})
    (issuer,) = settings.issuers
    assert isinstance(issuer, TrustedIssuer)
    assert (issuer.sender, issuer.single_use) == ("bearer", True)
    assert "accepting" in repr(settings.verifier().replays)
    with pytest.raises(ConfigurationError, match=r"^BEARWARD_SINGLE_USE: must come with sender"):
        Settings.load({**GOOD, "BEARWARD_SINGLE_USE": "true"})


def test_tenants_are_said_by_variables() -> None:
    """A template, with the settings of an issuer beside it."""
    (made,) = Settings.load(
        {
            "BEARWARD_AUDIENCE": "a",
            **TEMPLATE,
            "BEARWARD_TENANTS": "blue",
            "BEARWARD_EXPECTED_CLAIMS": '{"tid": "{tenant}"}',
        }
    ).issuers
    assert isinstance(made, TenantIssuers)
    blue = made.issuer_for("https://login.example/blue")
    assert blue is not None
    assert dict(blue.expected_claims) == {"tid": ("blue",)}
    assert made.issuer_for("https://login.example/red") is None


def misspelt(name: str) -> str:
    """The name with two letters in the middle swapped, or one doubled where that changes nothing."""
    before, own = (PREFIX, name.removeprefix(PREFIX)) if name.startswith(PREFIX) else ("", name)
    middle = len(own) // 2
    swapped = own[: middle - 1] + own[middle] + own[middle - 1] + own[middle + 1 :]
    return before + (swapped if swapped != own else own[:middle] + own[middle] + own[middle:])


def lines_of(error: ConfigurationError) -> list[str]:
    """A line for each mistake."""
    return [str(mistake) for mistake in error.mistakes]


@pytest.mark.parametrize("name", sorted({*VARIABLES, *SECRET_FILES}))
def test_misspelt_variable_gives_the_nearest_name(name: str) -> None:
    """Each, with two letters swapped."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**GOOD, misspelt(name): "x"})
    assert f"{misspelt(name)}: is not a setting here; did you mean '{name}'?" in lines_of(caught.value)


@pytest.mark.parametrize("name", sorted({"BEARWARD_CONFIG", *VARIABLES} - set(SECRET_FILES.values())))
def test_file_of_what_is_no_secret_is_refused(name: str) -> None:
    """It is not taken for somebody else's variable: who sets it believes that it says something."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**GOOD, f"{name}_FILE": "/x"})
    assert f"{name}_FILE: is not a setting here" in str(caught.value)


IN_A_FILE: Final[Mapping[Table, tuple[str, str]]] = {
    Table.TOP: ("{}\n" + HEAD, ""),
    Table.ISSUER: (HEAD + "{}\n", "issuers[0]."),
    Table.TENANTS: ('[[issuers]]\ntemplate = "https://a.example/{{tenant}}"\naudience = "a"\n{}\n', "issuers[0]."),
    Table.KEYS: (HEAD + "[issuers.keys]\n{}\n", "issuers[0].keys."),
    Table.PLACE: (HEAD + "[issuers.place]\n{}\n", "issuers[0].place."),
    Table.SYMMETRIC_KEYS: (HEAD + "[[issuers.symmetric_keys]]\n{}\n", "issuers[0].symmetric_keys[0]."),
    Table.REVOCATIONS: ("[revocations]\n{}\n" + HEAD, "revocations."),
    Table.DPOP: ("[dpop]\n{}\n" + HEAD, "dpop."),
}


def mistakes_of(setting: Setting, line: str, tmp_path: Path) -> tuple[list[str], str]:
    """What a file says that has this line in the setting's table, and the place of that table."""
    text, place = IN_A_FILE[setting.table]
    path = tmp_path / "settings.toml"
    path.write_text(text.format(line))
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(path)
    return lines_of(caught.value), place


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: f"{each.table} {each.name}")
def test_misspelt_name_in_a_file_gives_the_nearest(setting: Setting, tmp_path: Path) -> None:
    """Each, with two letters swapped, in its table."""
    wrong = misspelt(setting.name)
    found, place = mistakes_of(setting, f"{wrong} = 'x'", tmp_path)
    assert f"{place}{wrong}: is not a setting here; did you mean '{setting.name}'?" in found


WRONG: Final[Mapping[str, tuple[str, str]]] = {
    "boolean": ("yes", "true"),
    "switch": ("yes", "on"),
    "number": ("5s", "such as 5"),
    "integer": ("16M", "such as 5"),
    "array": ("{", "a JSON array"),
    "object": ("a=b", "a JSON object"),
    "names": (",", "such as a,b"),
}
"""A wrong value of each kind in a variable, and the form that is nearest."""


def kind_of(setting: Setting) -> str:
    """How the kind is called above; empty for text, which is judged where it is used, and for words."""
    if setting.kind.must == "on or off":
        return "switch"
    schema = setting.kind.schema
    return "names" if "anyOf" in schema else str(schema.get("type", "")).replace("string", "")


@pytest.mark.parametrize("name", sorted(name for name, each in VARIABLES.items() if kind_of(each) or each.kind.words))
def test_wrong_value_says_what_it_must_be_and_the_nearest_form(name: str, tmp_path: Path) -> None:
    """Of each variable whose kind can be wrong; no value is shown."""
    kind = VARIABLES[name].kind
    wrong, near = (f"{kind.words[0]}x", kind.words[0]) if kind.words else WRONG[kind_of(VARIABLES[name])]
    _, beside = value_of(name, tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**beside, name: wrong})
    (line,) = (line for line in lines_of(caught.value) if line.startswith(f"{name}: "))
    assert line.startswith(f"{name}: must be {kind.must}") or kind_of(VARIABLES[name]) == "object"
    assert near in line
    assert repr(wrong) not in line


@pytest.mark.parametrize(
    "setting", [each for each in SETTINGS if each.kind.judged], ids=lambda each: f"{each.table} {each.name}"
)
def test_wrong_value_in_a_file_says_what_it_must_be(setting: Setting, tmp_path: Path) -> None:
    """By its place, with the nearest form where the value is near one."""
    wrong = f"{setting.kind.words[0]}x" if setting.kind.words else "yes"
    found, place = mistakes_of(setting, f"{setting.name} = '{wrong}'", tmp_path)
    (line,) = (line for line in found if line.startswith(f"{place}{setting.name}: "))
    assert line.startswith(f"{place}{setting.name}: must be {setting.kind.must}")
    near = setting.kind.near(wrong)
    assert near
    assert line.endswith(near)


def test_application_s_values_need_not_be_text() -> None:
    """A program may hand on what its own configuration holds: lists, numbers, flags and tables."""
    environ: dict[str, Any] = {
        "BEARWARD_ISSUER": "https://login.example",
        "BEARWARD_AUDIENCE": ["a", "b,c"],
        "BEARWARD_LEEWAY": 5,
        "BEARWARD_EXPECTED_CLAIMS": {"token_use": "access"},
        "BEARWARD_KEYS_ARE_OURS": None,
        "BEARWARD_KEYS_SAME_ORIGIN": True,
        "BEARWARD_DPOP_NONCE": False,
    }
    (issuer,) = Settings.load(environ).issuers
    assert isinstance(issuer, TrustedIssuer)
    assert (issuer.audience, issuer.leeway) == ({"a", "b,c"}, 5)
    assert issuer.jwks_options.same_origin
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**environ, "BEARWARD_AUDIENCE": 5, "BEARWARD_LEEWAY": True, "BEARWARD_JWKS_URI": 7})
    wrong = {"BEARWARD_AUDIENCE", "BEARWARD_JWKS_URI", "BEARWARD_LEEWAY"}
    assert {line.partition(":")[0] for line in lines_of(caught.value)} == wrong


def test_settings_of_an_application_are_not_changed() -> None:
    """What is put into its tables is put into a copy."""
    tables = [{"issuer": "https://login.example", "audience": "a", "symmetric_keys": [{"kid": "k"}]}]
    before = json.dumps(tables)
    secret = "0123456789abcdef0123456789abcdef"
    (issuer,) = Settings.load(
        {"BEARWARD_ISSUERS": tables, f"{PREFIX}ISSUERS_0_SYMMETRIC_KEYS_0_SECRET": secret}
    ).issuers
    assert isinstance(issuer, TrustedIssuer)
    assert [key.secret for key in issuer.symmetric_keys] == [secret.encode()]
    assert json.dumps(tables) == before
