"""Whom to trust, from a file and from variables: by fields, by template, by profile, several at once; and secrets in files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from bearward import (
    ConfigurationError,
    CredentialPlace,
    JWKSOptions,
    RightsFrom,
    TenantIssuers,
    TrustedIssuer,
    profiles,
)
from bearward.settings import Settings

API = "https://api.example"
KEYCLOAK = profiles.keycloak(host="keycloak.example", realm="demo", audience=API)
BY_PROFILE = {
    "BEARWARD_PROFILE": "keycloak",
    "BEARWARD_PROFILE_HOST": "keycloak.example",
    "BEARWARD_PROFILE_REALM": "demo",
    "BEARWARD_AUDIENCE": API,
}
GOOD = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": API}
TENANT, APP = "9122040d-6c67-4c5b-b112-36a304b66dad", "6e74172b-be56-4843-9ff4-e66a39bb12e3"


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_profile_in_a_file_is_the_profile_in_python(tmp_path: Path) -> None:
    """With the same arguments, options, and the table of how keys are fetched; several policies where it has several."""
    settings = Settings.from_toml(
        _file(
            tmp_path,
            f"""
            [[issuers]]
            profile = "keycloak"
            host = "keycloak.example"
            realm = "demo"
            audience = "{API}"
            leeway = 5
            keys = {{ max_age = 300 }}

            [[issuers]]
            profile = "entra"
            tenant = "{TENANT}"
            api = "{APP}"
            """,
        )
    )
    keycloak = profiles.keycloak(
        host="keycloak.example", realm="demo", audience=API, leeway=5, jwks_options=JWKSOptions(max_age=300)
    )
    assert settings.issuers == (keycloak, *profiles.entra(tenant=TENANT, api=APP))
    settings.verifier()


def test_template_in_a_file_is_the_tenants_of_a_provider(tmp_path: Path) -> None:
    """With tenants or without, and every setting of an issuer; it can be pickled and sent to a worker."""
    settings = Settings.from_toml(
        _file(
            tmp_path,
            f"""
            [[issuers]]
            template = "https://login.example/{{tenant}}/v2.0"
            tenants = ["blue", "green"]
            audience = "{API}"
            expected_claims = {{ tid = "{{tenant}}" }}
            """,
        )
    )
    (tenants,) = settings.issuers
    assert isinstance(tenants, TenantIssuers)
    blue = tenants.issuer_for("https://login.example/blue/v2.0")
    assert blue is not None
    assert dict(blue.expected_claims) == {"tid": ("blue",)}
    assert tenants.issuer_for("https://login.example/red/v2.0") is None
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_further_field_stands_in_a_file(tmp_path: Path) -> None:
    """Rights by name, by path and with a prefix; places, refused claims, names of claims."""
    settings = Settings.from_toml(
        _file(
            tmp_path,
            """
            [[issuers]]
            issuer = "https://login.example"
            jwks_uri = "https://login.example/keys"
            keys_are_ours = true
            refused_claims = ["nonce"]
            authorized_parties = "web"
            subject_claim = ["sub", "common_name"]
            client_claim = "cid"
            rights = ["scope", ["realm_access", "roles"], { claim = "groups", prefix = "group:" }]
            place = { header = "X-Token", scheme = "Bearer" }
            """,
        )
    )
    assert settings.issuers == (
        TrustedIssuer(
            "https://login.example",
            jwks_uri="https://login.example/keys",
            keys_are_ours=True,
            refused_claims=["nonce"],
            authorized_parties="web",
            subject_claim=("sub", "common_name"),
            client_claim="cid",
            rights=["scope", ("realm_access", "roles"), RightsFrom("groups", prefix="group:")],
            place=CredentialPlace(header="x-token", scheme="Bearer"),
        ),
    )
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_profile_in_variables_is_the_profile_in_python() -> None:
    """Its arguments are `BEARWARD_PROFILE_…`; what all issuers have is a variable of its own."""
    settings = Settings.from_environment({**BY_PROFILE, "BEARWARD_LEEWAY": "5", "BEARWARD_RIGHTS": "scope,groups"})
    expected = profiles.keycloak(
        host="keycloak.example", realm="demo", audience=API, leeway=5.0, rights=["scope", "groups"]
    )
    assert settings.issuers == (expected,)


def test_arguments_of_a_profile_are_text_several_or_flags() -> None:
    """Commas separate several; `true` and `false` are read where the profile asks for that."""
    several = {
        "BEARWARD_PROFILE": "entra_multi_tenant",
        "BEARWARD_PROFILE_API": APP,
        "BEARWARD_PROFILE_TENANTS": f"{TENANT}, {APP}",
    }
    every = {
        "BEARWARD_PROFILE": "entra_multi_tenant",
        "BEARWARD_PROFILE_API": APP,
        "BEARWARD_PROFILE_EVERY_TENANT": "true",
    }
    assert Settings.from_environment(several).issuers == profiles.entra_multi_tenant(api=APP, tenants=[TENANT, APP])
    assert Settings.from_environment(every).issuers == profiles.entra_multi_tenant(api=APP, every_tenant=True)


def test_several_issuers_stand_in_one_variable() -> None:
    """As JSON, with all that a table of a file may say."""
    tables: list[dict[str, Any]] = [
        {"issuer": "https://login.example/", "audience": API, "expected_claims": {"use": ["a", "b"]}},
        {"profile": "keycloak", "host": "keycloak.example", "realm": "demo", "audience": API},
        {"template": "https://login.example/{tenant}", "audience": API, "keys": {"max_age": 300}},
    ]
    settings = Settings.from_environment({"BEARWARD_ISSUERS": json.dumps(tables)})
    first, second, third = settings.issuers
    assert first == TrustedIssuer("https://login.example/", audience=API, expected_claims={"use": ["a", "b"]})
    assert second == KEYCLOAK
    assert isinstance(third, TenantIssuers)
    assert third.jwks_options.max_age == 300


def test_further_fields_of_one_issuer_are_variables() -> None:
    """Each by its own name, objects as JSON."""
    settings = Settings.from_environment(
        {
            "BEARWARD_ISSUER": "https://login.example",
            "BEARWARD_JWKS_URI": "https://login.example/keys",
            "BEARWARD_KEYS_ARE_OURS": "true",
            "BEARWARD_EXPECTED_CLAIMS": '{"token_use": ["access"], "level": 2}',
            "BEARWARD_REFUSED_CLAIMS": "nonce, at_hash",
            "BEARWARD_AUTHORIZED_PARTIES": "web",
            "BEARWARD_SUBJECT_CLAIM": "oid",
            "BEARWARD_CLIENT_CLAIM": "cid",
            "BEARWARD_RIGHTS": '["scope", ["realm_access", "roles"]]',
            "BEARWARD_PLACE": '{"header": "x-token"}',
        }
    )
    assert settings.issuers == (
        TrustedIssuer(
            "https://login.example",
            jwks_uri="https://login.example/keys",
            keys_are_ours=True,
            expected_claims={"token_use": ["access"], "level": 2},
            refused_claims=["nonce", "at_hash"],
            authorized_parties="web",
            subject_claim="oid",
            client_claim="cid",
            rights=["scope", ("realm_access", "roles")],
            place=CredentialPlace(header="x-token"),
        ),
    )


WRONG_VARIABLES: list[tuple[dict[str, str], str]] = [
    ({"BEARWARD_PROFILE": "keyclock"}, "BEARWARD_PROFILE: is not a profile; did you mean 'keycloak'?"),
    (
        {**BY_PROFILE, "BEARWARD_PROFILE_REALM": ""},
        "BEARWARD_PROFILE_REALM: must be given: the profile keycloak needs host, realm, audience",
    ),
    (
        {**BY_PROFILE, "BEARWARD_PROFILE_REALMS": "demo"},
        "BEARWARD_PROFILE_REALMS: is not a setting of the profile keycloak; did you mean 'realm'?",
    ),
    (
        {**BY_PROFILE, "BEARWARD_PROFILE_HOST": "keycloak.example/"},
        "BEARWARD_PROFILE_HOST: must not end in a slash: 'keycloak.example'",
    ),
    ({**BY_PROFILE, "BEARWARD_AUDIENCE": "account"}, "BEARWARD_AUDIENCE: must not be 'account'"),
    ({**BY_PROFILE, "BEARWARD_ISSUER": "x"}, "BEARWARD_PROFILE: must not be set together with BEARWARD_ISSUER"),
    ({**BY_PROFILE, "BEARWARD_PROFILE_HOST": "${HOST}"}, "BEARWARD_PROFILE_HOST: must not hold a placeholder"),
    ({**GOOD, "BEARWARD_PROFILE_HOST": "x"}, "BEARWARD_PROFILE_HOST: must not be set without BEARWARD_PROFILE"),
    (
        {"BEARWARD_PROFILE": "entra_multi_tenant", "BEARWARD_PROFILE_EVERY_TENANT": "yes"},
        "BEARWARD_PROFILE_EVERY_TENANT: must be true or false",
    ),
    ({"BEARWARD_ISSUERS": "["}, "BEARWARD_ISSUERS: must be a JSON array"),
    ({"BEARWARD_ISSUERS": "{}"}, "BEARWARD_ISSUERS: must be a JSON array"),
    ({"BEARWARD_ISSUERS": "[]"}, "BEARWARD_ISSUERS: must name at least one issuer"),
    (
        {"BEARWARD_ISSUERS": '[{"issuer": "https://a.example", "audiences": "a"}]'},
        "BEARWARD_ISSUERS[0].audiences: is not a setting here",
    ),
    ({**GOOD, "BEARWARD_ISSUERS": "[]"}, "BEARWARD_AUDIENCE: must not be set together with BEARWARD_ISSUERS"),
    (
        {**GOOD, "BEARWARD_PLACE": '{"heading": "x"}'},
        "BEARWARD_PLACE.heading: is not a setting here; did you mean 'header'?",
    ),
    ({**GOOD, "BEARWARD_PLACE": '{"header": "authorization"}'}, "BEARWARD_PLACE.header: must not be authorization"),
    ({**GOOD, "BEARWARD_RIGHTS": "[1]"}, "BEARWARD_RIGHTS: must be names of claims"),
    ({**GOOD, "BEARWARD_RIGHTS": "[1"}, "BEARWARD_RIGHTS: must be names of claims"),
    ({**GOOD, "BEARWARD_EXPECTED_CLAIMS": "[]"}, "BEARWARD_EXPECTED_CLAIMS: must be a JSON object"),
    (
        {**GOOD, "BEARWARD_KEYS_ARE_OURS": "true"},
        "BEARWARD_KEYS_ARE_OURS: must come with jwks_uri, pem_uri, metadata_uri or jwks",
    ),
    ({**GOOD, "BEARWARD_JWKS": "{}"}, "BEARWARD_JWKS: must be a JWK Set with a usable key"),
    ({**GOOD, "BEARWARD_TEMPLATE": "https://{tenant}.example"}, "BEARWARD_TEMPLATE: must not be set together with"),
    ({**GOOD, "BEARWARD_TENANTS": "a"}, "BEARWARD_TENANTS: must come with BEARWARD_TEMPLATE"),
    (
        {**BY_PROFILE, "BEARWARD_PROFILE_AUDIENCE": "b"},
        "BEARWARD_PROFILE_AUDIENCE: must not be set together with BEARWARD_AUDIENCE",
    ),
]


@pytest.mark.parametrize(("environ", "message"), WRONG_VARIABLES, ids=range(len(WRONG_VARIABLES)))
def test_variables_that_cannot_be_are_named(environ: dict[str, str], message: str) -> None:
    """The message begins with the variable, and says what it must be or which name is nearest."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment(environ)
    assert str(caught.value).startswith(message)


WRONG_TABLES: list[tuple[str, str]] = [
    ('profile = "keyclock"', "issuers[0].profile: is not a profile; did you mean 'keycloak'?"),
    ("profile = 1", "issuers[0].profile: must be a string"),
    (
        'profile = "keycloak"\nhost = "keycloak.example"\naudience = "a"',
        "issuers[0].realm: must be given: the profile keycloak needs host, realm, audience",
    ),
    (
        'profile = "keycloak"\nhosts = "x"',
        "issuers[0].hosts: is not a setting of the profile keycloak; did you mean 'host'?",
    ),
    (
        'profile = "keycloak"\nhost = "k.example"\nrealm = "d"\naudience = "a"\ntoken_types = ["JWT"]',
        "issuers[0].token_types: is not a setting of the profile keycloak",
    ),
    (
        'profile = "keycloak"\nhost = "k.example"\nrealm = "d"\naudience = "a"\nkeys = { maxage = 1 }',
        "issuers[0].keys.maxage: is not a setting here",
    ),
    ('template = "https://login.example"\naudience = "a"', "issuers[0].template: must be a template with one {tenant}"),
    (
        'template = "https://login.example/{tenant}"\nissuer = "x"\naudience = "a"',
        "issuers[0].issuer: is not a setting here",
    ),
    (
        'template = "https://login.example/{tenant}"\ntenants = []\naudience = "a"',
        "issuers[0].tenants: must name at least one tenant",
    ),
    (
        'issuer = "https://a.example"\naudience = "a"\nplace = { heading = "x" }',
        "issuers[0].place.heading: is not a setting",
    ),
    (
        'issuer = "https://a.example"\naudience = "a"\nplace = { header = 1 }',
        "issuers[0].place.header: must be a string",
    ),
    (
        'issuer = "https://a.example"\naudience = "a"\nkeys_are_ours = "yes"',
        "issuers[0].keys_are_ours: must be true or",
    ),
    ('issuer = "https://a.example"\naudience = "a"\nrights = 1', "issuers[0].rights: must be names of claims"),
]


@pytest.mark.parametrize(("table", "message"), WRONG_TABLES, ids=range(len(WRONG_TABLES)))
def test_tables_that_cannot_be_are_named(table: str, message: str, tmp_path: Path) -> None:
    """The message begins with the place in the file, and says what must be there or which name is nearest."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(_file(tmp_path, f"[[issuers]]\n{table}\n"))
    assert str(caught.value).startswith(message)


SECRET = "a secret of the fleet, thirty-two bytes"


def test_secrets_of_variables_may_stand_in_files(tmp_path: Path) -> None:
    """The end of the last line is no part of a secret; a whole array of issuers may be one."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    key = {"algorithm": "HS256", "secret": SECRET}
    (tmp_path / "issuers").write_text(json.dumps([{"issuer": "us", "audience": API, "symmetric_keys": [key]}]))
    settings = Settings.from_environment(
        {
            "BEARWARD_ISSUERS_FILE": str(tmp_path / "issuers"),
            "BEARWARD_CACHE_SECRET_FILE": str(tmp_path / "secret"),
        }
    )
    (issuer,) = settings.issuers
    assert settings.cache_secret == SECRET.encode()
    assert isinstance(issuer, TrustedIssuer)
    assert [held.secret for held in issuer.symmetric_keys] == [SECRET.encode()]


def test_secrets_of_a_file_may_stand_in_files(tmp_path: Path) -> None:
    """The fleet's, that of the revocations, and those of symmetric keys."""
    (tmp_path / "secret").write_text(f"{SECRET}\r\n")
    at = str(tmp_path / "secret")
    settings = Settings.from_toml(
        _file(
            tmp_path,
            f"""
            cache_secret_file = "{at}"
            [[issuers]]
            issuer = "us"
            audience = "{API}"
            symmetric_keys = [{{ algorithm = "HS256", secret_file = "{at}" }}]
            [revocations]
            on_failure = "refuse"
            cache_secret_file = "{at}"
            """,
        )
    )
    (issuer,) = settings.issuers
    assert isinstance(issuer, TrustedIssuer)
    assert settings.revocations is not None
    of_keys = [key.secret for key in issuer.symmetric_keys]
    assert [settings.cache_secret, settings.revocations["cache_secret"], *of_keys] == [SECRET.encode()] * 3


def test_secrets_of_the_environment_win_over_a_file(tmp_path: Path) -> None:
    """So that the file may be public; nothing else may be said beside it."""
    path = _file(
        tmp_path,
        f'cache_secret = "public"\n[[issuers]]\nissuer = "https://a.example"\naudience = "{API}"\n'
        '[revocations]\non_failure = "refuse"\n',
    )
    own = {"BEARWARD_CACHE_SECRET": SECRET, "BEARWARD_REVOCATIONS_CACHE_SECRET": f"{SECRET} too"}
    settings = Settings.load(own, config=path)
    assert settings.cache_secret == SECRET.encode()
    assert settings.revocations is not None
    assert settings.revocations["cache_secret"] == f"{SECRET} too".encode()
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**own, "BEARWARD_LEEWAY": "5"}, config=path)
    assert caught.value.setting == "BEARWARD_LEEWAY"


def test_secret_files_that_cannot_be_are_named(tmp_path: Path) -> None:
    """One that is not there, is empty or is no text, and a secret that is given twice; what is in it is never shown."""
    empty, binary, good = tmp_path / "empty", tmp_path / "binary", tmp_path / "good"
    empty.write_text("\n")
    binary.write_bytes(b"\xff" * 32)
    good.write_text(SECRET)
    for path in (tmp_path / "absent", empty, binary, tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_environment({**GOOD, "BEARWARD_CACHE_SECRET_FILE": str(path)})
        assert caught.value.setting == "BEARWARD_CACHE_SECRET_FILE"
    with pytest.raises(ConfigurationError) as twice:
        Settings.from_environment({**GOOD, "BEARWARD_CACHE_SECRET_FILE": str(good), "BEARWARD_CACHE_SECRET": SECRET})
    assert str(twice.value) == "BEARWARD_CACHE_SECRET_FILE: must not be set together with BEARWARD_CACHE_SECRET"
    for table in (
        f'cache_secret = "x"\ncache_secret_file = "{good}"',
        "cache_secret_file = 1",
        'cache_secret_file = "/no"',
    ):
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_toml(_file(tmp_path, table))
        assert caught.value.setting == "cache_secret_file"
        assert SECRET not in str(caught.value)
