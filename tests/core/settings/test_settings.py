"""Settings: what is read, and that every wrong one is refused by name."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from bearward import ConfigurationError, CredentialPlace, JWKSOptions, Revocations, SharedRevocations, TrustedIssuer
from bearward.jwks.options import StartMode
from bearward.settings import Settings

GOOD = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "https://api.example"}
SECRET = "a value that must not be shown: hunter2 hunter2"

WRONG_VARIABLES = [
    ("BEARWARD_ISSUER", None, "must be set"),
    ("BEARWARD_ISSUER", "  ", "must be set"),
    ("BEARWARD_ISSUER", "http://login.example/", "https"),
    ("BEARWARD_ISSUER", " https://login.example/", "exact `iss`"),
    ("BEARWARD_AUDIENCE", None, "must be set"),
    ("BEARWARD_AUDIENCE", "a,,b", "separated by commas"),
    ("BEARWARD_JWKS_URI", "http://login.example/jwks", "https"),
    ("BEARWARD_JWKS_URI", "file:///etc/passwd", "https"),
    ("BEARWARD_JWKS_URI", "https://me@login.example/jwks", "without user name"),
    ("BEARWARD_ALGORITHMS", "RS256,none", "must be among"),
    ("BEARWARD_ALGORITHMS", "HS256", "without symmetric_keys"),
    ("BEARWARD_ALGORITHMS", ",", "separated by commas"),
    ("BEARWARD_LEEWAY", "soon", "number of seconds between 0 and 300"),
    ("BEARWARD_LEEWAY", "-1", "number of seconds between 0 and 300"),
    ("BEARWARD_LEEWAY", "301", "between 0 and 300"),
    ("BEARWARD_LEEWAY", "nan", "number of seconds"),
    ("BEARWARD_LEEWAY", "1_0", "number of seconds"),
    ("BEARWARD_UNSAFE_ALLOW_HTTP", "1", "true or false"),
    ("BEARWARD_REVOCATIONS_ON_FAILURE", "maybe", "refuse or accept"),
    ("BEARWARD_AUDIENCES", "a", "not a setting"),
    ("BEARWARD_ALGORITHM", "RS256", "not a setting"),
    ("BEARWARD_ISSUER", "https://${TENANT}.example", "placeholder"),
    ("BEARWARD_CACHE_SECRET", "${CACHE_SECRET}", "placeholder"),
    ("BEARWARD_ISSUER", "https://login.example/.well-known/openid-configuration", "leave out /.well-known/"),
    ("BEARWARD_MAX_TOKEN_AGE", "0", "above 0"),
    ("BEARWARD_MAX_TOKEN_AGE", "an hour", "above 0"),
    ("BEARWARD_TOKEN_CACHE", "16M", "number of bytes"),
    ("BEARWARD_CA_FILE", "/nowhere/at/all.pem", "readable file"),
    ("BEARWARD_UNSAFE_ALLOW_PRIVATE_ADDRESSES", "yes", "true or false"),
    ("BEARWARD_EXPECTED_CLAIMS", "token_use=access", "a JSON object"),
    ("BEARWARD_UNSAFE_ALLOW_NO_EXPIRY", "yes", "true or false; did you mean 'true'?"),
    ("BEARWARD_SYMMETRIC_KEYS", "x", "a JSON array, of objects as the tables [[issuers.symmetric_keys]]"),
    ("BEARWARD_MAX_AGE", "60", "did you mean 'BEARWARD_KEYS_MAX_AGE'?"),
    ("BEARWARD_PROXY", "http://proxy", "did you mean 'BEARWARD_KEYS_PROXY'?"),
    ("BEARWARD_KEYS_CA_FILE", "/ca.pem", "did you mean 'BEARWARD_CA_FILE'?"),
    ("BEARWARD_DPOP_MODE", "allowed", "did you mean 'BEARWARD_DPOP'?"),
    ("BEARWARD_KEYS", "{}", "did you mean 'BEARWARD_KEYS_…'?"),
    ("BEARWARD_CLAIMS_TYPE", "dict", "in Python"),
    ("BEARWARD_KEYS_SOURCES", "[]", "in Python"),
    ("BEARWARD_SENDER", "constraint", "any, bearer or constrained; did you mean 'constrained'?"),
    ("BEARWARD_EXPECTED_CLAIM", "token_use=access", "not a setting"),
]


def _only(settings: Settings) -> TrustedIssuer:
    (issuer,) = settings.issuers
    assert isinstance(issuer, TrustedIssuer)
    return issuer


@pytest.mark.parametrize(("name", "value", "must"), WRONG_VARIABLES)
def test_invalid_variables_are_named(name: str, value: str | None, must: str) -> None:
    """What is missing, unknown or is invalid is a ConfigurationError that names the variable and the remedy."""
    environ = {**GOOD, name: value} if value is not None else {n: v for n, v in GOOD.items() if n != name}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({n: v for n, v in environ.items() if v is not None})
    assert caught.value.setting == name
    assert must in caught.value.requirement
    assert "\n" not in str(caught.value)


def test_environment_configures_one_issuer() -> None:
    """Each variable of the contract reaches the policy; names separated by commas may have blanks around them."""
    settings = Settings.from_environment(
        {
            **GOOD,
            "BEARWARD_AUDIENCE": "one, two",
            "BEARWARD_JWKS_URI": "https://login.example/jwks",
            "BEARWARD_ALGORITHMS": "ES256,RS256",
            "BEARWARD_CACHE": "redis://cache:6379/0",
            "BEARWARD_LEEWAY": "1.5",
        }
    )
    issuer = _only(settings)
    assert issuer.issuer == "https://login.example/"
    assert issuer.audience == {"one", "two"}
    assert issuer.jwks_uri == "https://login.example/jwks"
    assert issuer.algorithms == {"ES256", "RS256"}
    assert (settings.cache, issuer.leeway) == ("redis://cache:6379/0", 1.5)


def test_every_restriction_by_variable_is_obeyed(tmp_path: Path) -> None:
    """A variable that is named like a setting restricts what it says, or is refused: see above."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("")
    settings = Settings.from_environment(
        {
            "BEARWARD_ISSUER": "https://login.example/",
            "BEARWARD_CLIENT_IDS": "app, other",
            "BEARWARD_MAX_TOKEN_AGE": "300",
            "BEARWARD_REQUIRED_CLAIMS": "sub,jti",
            "BEARWARD_TOKEN_TYPES": "at+jwt",
            "BEARWARD_FUTURE_LEEWAY": "0",
            "BEARWARD_TOKEN_CACHE": "0",
            "BEARWARD_CA_FILE": str(ca_file),
            "BEARWARD_UNSAFE_ALLOW_PRIVATE_ADDRESSES": "true",
        }
    )
    issuer = _only(settings)
    assert (issuer.client_ids, issuer.max_token_age, issuer.max_clock_lead) == ({"app", "other"}, 300.0, 0.0)
    assert (issuer.required_claims, issuer.token_types) == (("exp", "iat", "jti", "sub"), {"at+jwt"})
    assert (issuer.jwks_options.ca_file, issuer.jwks_options.unsafe_allow_private_addresses) == (str(ca_file), True)
    assert settings.token_cache == 0


@pytest.mark.parametrize("item", [*fields(TrustedIssuer), *fields(JWKSOptions)], ids=lambda item: item.name)
def test_every_setting_is_obeyed_or_refused(item: Field[Any]) -> None:
    """Each field of an issuer and of its keys: obeyed, or refused by its variable's name."""
    if not item.init:
        return
    name = f"BEARWARD_{item.name.upper()}"
    try:
        settings = Settings.from_environment({**GOOD, name: "true"})
    except ConfigurationError as error:
        assert error.setting == name  # noqa: PT017  (the other outcome is as good)
    else:
        assert settings != Settings.from_environment(GOOD)


WAYS: dict[str, Callable[[Settings], Settings]] = {
    "pickle": lambda settings: pickle.loads(pickle.dumps(settings)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
def test_settings_can_be_sent_to_a_worker(tmp_path: Path, way: str) -> None:
    """Whatever they were read from; what could be changed is frozen."""
    shared = {**GOOD, **STORE, "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse", "BEARWARD_NOTES": "n"}
    for settings in (
        Settings.from_environment(shared, extra_names=["notes"]),
        Settings.from_toml(_file(tmp_path, FULL), extra_names=["notes"]),
    ):
        copied = WAYS[way](settings)
        assert copied == settings
        assert copied.extra == settings.extra
        copied.verifier()
        with pytest.raises(TypeError):
            copied.extra["notes"] = "m"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"issuers": "https://login.example"}, "issuers"),
        ({"issuers": [1]}, "issuers"),
        ({"cache_secret": "s"}, "cache_secret"),
    ],
)
def test_settings_of_a_wrong_type_are_named(changes: dict[str, Any], setting: str) -> None:
    """Where a program makes them itself."""
    issuer = TrustedIssuer("https://login.example", audience="a")
    assert Settings(issuers=issuer).issuers == (issuer,)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{"issuers": (issuer,), **changes})
    assert caught.value.setting == setting


def test_empty_variable_is_unset() -> None:
    """Who passes `BEARWARD_JWKS_URI=` through a compose file means discovery."""
    settings = Settings.from_environment({**GOOD, "BEARWARD_JWKS_URI": "", "BEARWARD_LEEWAY": "", "BEARWARD_CACHE": ""})
    assert _only(settings).jwks_uri is None
    assert settings.cache == "memory://"


def test_service_variables_of_kubernetes_are_ignored() -> None:
    """Kubernetes puts BEARWARD_PORT and its like into each pod's environment once a service is called bearward."""
    announced = {
        "BEARWARD_SERVICE_HOST": "10.0.0.1",
        "BEARWARD_SERVICE_PORT": "80",
        "BEARWARD_SERVICE_PORT_HTTP": "80",
        "BEARWARD_PORT": "tcp://10.0.0.1:80",
        "BEARWARD_PORT_80_TCP": "tcp://10.0.0.1:80",
        "BEARWARD_PORT_80_TCP_PROTO": "tcp",
        "BEARWARD_HTTP_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert Settings.from_environment({**GOOD, **announced}).issuers == Settings.from_environment(GOOD).issuers


def test_http_is_for_loopback_unless_unsafe_allow_http() -> None:
    """Keys fetched over plain http can be replaced by anybody on the way."""
    loopback = {**GOOD, "BEARWARD_ISSUER": "http://127.0.0.1:9000"}
    assert _only(Settings.from_environment(loopback)).issuer == "http://127.0.0.1:9000"
    elsewhere = {**GOOD, "BEARWARD_ISSUER": "http://login.example"}
    with pytest.raises(ConfigurationError):
        Settings.from_environment(elsewhere)
    assert Settings.from_environment({**elsewhere, "BEARWARD_UNSAFE_ALLOW_HTTP": "true"}).issuers


def test_extra_names_are_settings_of_the_program() -> None:
    """`extra_names` names them; a misspelt one is refused like a misspelt one of ours."""
    settings = Settings.from_environment({**GOOD, "BEARWARD_NOTES": "notes.sqlite"}, extra_names=["notes"])
    assert settings.extra == {"notes": "notes.sqlite"}
    with pytest.raises(ConfigurationError, match="BEARWARD_NOTE: "):
        Settings.from_environment({**GOOD, "BEARWARD_NOTE": "notes.sqlite"}, extra_names=["notes"])


def test_variables_that_resemble_no_setting_are_ignored() -> None:
    """The environment is shared: a name like BEARWARD_VECTORS is no reason not to start."""
    environ = {**GOOD, "BEARWARD_VECTORS": "/vectors", "BEARWARD_BUILD": "7"}
    assert Settings.from_environment(environ).issuers == Settings.from_environment(GOOD).issuers


STORE = {"BEARWARD_CACHE": "redis://cache:6379/0", "BEARWARD_CACHE_SECRET": "0123456789abcdef"}


def test_revocations_are_shared_where_on_failure_is_set(tmp_path: Path) -> None:
    """Through the cache of the keys, or through a store of their own; in the environment or in a file."""
    shared = {**GOOD, **STORE, "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse"}
    own = {"BEARWARD_REVOCATIONS_CACHE": "memcached://store", "BEARWARD_REVOCATIONS_NAME": "orders"}
    in_file = (
        "cache_secret = '0123456789abcdef'\n[revocations]\non_failure = 'accept'\ncache = 'redis://store'\ngrace = 5\n"
    )
    for settings in (
        Settings.from_environment(shared),
        Settings.from_environment({**shared, **own}),
        Settings.from_toml(_file(tmp_path, in_file + ISSUER)),
    ):
        assert isinstance(settings.verifier().revocations, SharedRevocations)
    mine = Revocations()
    assert settings.verifier(revocations=mine).revocations is mine
    assert not isinstance(Settings.from_environment(GOOD).verifier().revocations, SharedRevocations)


@pytest.mark.parametrize(
    ("changed", "name", "must"),
    [
        ({"BEARWARD_CACHE": "memory://"}, "BEARWARD_CACHE", "a store that the fleet shares"),
        ({"BEARWARD_CACHE_SECRET": ""}, "BEARWARD_CACHE_SECRET", "at least 16 bytes"),
        ({"BEARWARD_REVOCATIONS_CACHE": "gopher://a"}, "BEARWARD_REVOCATIONS_CACHE", "URL with one of"),
        ({"BEARWARD_REVOCATIONS_NAME": "a b"}, "BEARWARD_REVOCATIONS_NAME", "1 to 64 letters"),
        (
            {"BEARWARD_REVOCATIONS_ON_FAILURE": "", "BEARWARD_REVOCATIONS_NAME": "a"},
            "BEARWARD_REVOCATIONS_ON_FAILURE",
            "must be set",
        ),
    ],
)
def test_invalid_revocation_settings_are_named(changed: dict[str, str], name: str, must: str) -> None:
    """Named as it was given, also where it is the fleet's cache that is invalid."""
    environ = {**GOOD, **STORE, "BEARWARD_REVOCATIONS_ON_FAILURE": "accept", **changed}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment(environ).verifier()
    assert caught.value.setting == name
    assert must in caught.value.requirement


def test_revocation_settings_of_a_file_are_named_by_place(tmp_path: Path) -> None:
    """`revocations.grace` is where to look; what the table leaves to the fleet's cache is named as that."""
    begin = "[revocations]\non_failure = 'refuse'\n"
    for more, name in (("", "cache_secret"), ("cache_secret = 's'\n", "revocations.cache_secret")):
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_toml(_file(tmp_path, begin + more + ISSUER)).verifier()
        assert caught.value.setting == name
    secret = "cache_secret = '0123456789abcdef'\ncache = 'redis://store'\n"
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(_file(tmp_path, begin + secret + "grace = 'long'\n" + ISSUER)).verifier()
    assert caught.value.setting == "revocations.grace"


FULL = """
cache = "redis://cache:6379/0"
cache_secret = "0123456789abcdef0123456789abcdef"
token_cache = 0
notes = "notes.sqlite"

[[issuers]]
issuer = "https://login.example/"
audience = ["one", "two"]
jwks_uri = "https://login.example/jwks"
algorithms = ["ES256"]
leeway = 5
max_token_age = 3600
required_claims = ["sub"]
expected_claims = { token_use = "access", tier = ["gold", "silver"] }
token_types = ["at+jwt", ""]

[issuers.keys]
max_age = 300
start = "lazy"
headers = { "X-Api-Key" = "k" }

[[issuers]]
issuer = "https://other.example"
client_ids = ["app"]
[[issuers.symmetric_keys]]
secret = "0123456789abcdef0123456789abcdef"
kid = "one"
[[issuers.symmetric_keys]]
secret_base64url = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
algorithm = "HS256"
"""


def test_file_reaches_every_field(tmp_path: Path) -> None:
    """All fields of TrustedIssuer, JWKSOptions and SymmetricKey are reachable by their own names."""
    settings = Settings.from_toml(_file(tmp_path, FULL), extra_names=["notes"])
    first, second = settings.issuers
    assert isinstance(first, TrustedIssuer)
    assert isinstance(second, TrustedIssuer)
    assert (settings.token_cache, settings.extra) == (0, {"notes": "notes.sqlite"})
    assert first.max_token_age == 3600
    assert first.expected_claims == {"token_use": ("access",), "tier": ("gold", "silver")}
    assert first.token_types == {None, "at+jwt"}
    assert (first.jwks_options.max_age, first.jwks_options.start) == (300, StartMode.LAZY)
    assert [key.secret for key in second.symmetric_keys] == [b"0123456789abcdef0123456789abcdef"] * 2
    assert second.algorithms == {"HS256"}


ISSUER = '[[issuers]]\nissuer = "https://login.example/"\naudience = "a"\n'
WRONG_FILES = [
    ("", "issuers", "at least one issuer"),
    ("issuers = 1", "issuers", "array of tables"),
    ("issuers = [1]", "issuers[0]", "must be a table"),
    ("[[issuers]]\naudience = 'a'", "issuers[0].issuer", "exact `iss`"),
    ("[[issuers]]\nissuer = 'https://login.example/'", "issuers[0].audience", "at least one audience"),
    ("[[issuers]]\nissuer = 5\naudience = 'a'", "issuers[0].issuer", "non-empty string"),
    ("cash = 'memory://'\n" + ISSUER, "cash", "not a setting"),
    ("cache = 1\n" + ISSUER, "cache", "must be a string"),
    ("cache_secret = 1\n" + ISSUER, "cache_secret", "must be a string"),
    ("notes = 1\n" + ISSUER, "notes", "not a setting"),
    ("revocations = 1\n" + ISSUER, "revocations", "must be a table"),
    ("revocations = {}\n" + ISSUER, "revocations.on_failure", "accept"),
    ("revocations = { on_failure = 'accept', poll = 1 }\n" + ISSUER, "revocations.poll", "not a setting"),
    ("revocations = { on_failure = 'accept', cache = 1 }\n" + ISSUER, "revocations.cache", "must be a string"),
    ("revocations = { on_failure = 'accept', cache_secret = 1 }\n" + ISSUER, "revocations.cache_secret", "a string"),
    (ISSUER + "audiences = 'a'", "issuers[0].audiences", "not a setting"),
    (ISSUER + "leeway = '5'", "issuers[0].leeway", "number of seconds"),
    (ISSUER + "leeway = true", "issuers[0].leeway", "number of seconds"),
    (ISSUER + "leeway = nan", "issuers[0].leeway", "number of seconds"),
    (ISSUER + "algorithms = ['none']", "issuers[0].algorithms", "must be among"),
    (ISSUER + "algorithms = 1", "issuers[0].algorithms", "non-empty string"),
    (ISSUER + "jwks = 1", "issuers[0].jwks", "must be a table"),
    (ISSUER + "jwks = { keys = [] }", "issuers[0].jwks", "usable key"),
    (ISSUER + "jwks_uri = 1", "issuers[0].jwks_uri", "https URL"),
    (ISSUER + "token_types = 1", "issuers[0].token_types", "must be a string"),
    (ISSUER + "token_types = []", "issuers[0].token_types", "at least one"),
    (ISSUER + "required_claims = [1]", "issuers[0].required_claims", "non-empty string"),
    (ISSUER + "expected_claims = { a = 2020-01-01 }", "issuers[0].expected_claims", "strings, numbers"),
    (ISSUER + "expected_claims = 1", "issuers[0].expected_claims", "must map"),
    (ISSUER + "unsafe_allow_http = 'yes'", "issuers[0].unsafe_allow_http", "true or false"),
    (ISSUER + "unsafe_any_audience = 1", "issuers[0].unsafe_any_audience", "true or false"),
    (ISSUER + "keys = 1", "issuers[0].keys", "must be a table"),
    (ISSUER + "keys = { maxage = 1 }", "issuers[0].keys.maxage", "not a setting"),
    (ISSUER + "keys = { max_age = 'long' }", "issuers[0].keys.max_age", "number"),
    (ISSUER + "keys = { start = 'now' }", "issuers[0].keys.start", "required, eager or lazy"),
    (ISSUER + "keys = { ca_file = 1 }", "issuers[0].keys.ca_file", "must be a string"),
    (ISSUER + "keys = { ca_file = '/nowhere/at/all.pem' }", "issuers[0].keys.ca_file", "readable file"),
    (ISSUER + "keys = { client_cert = '/nowhere/at/all.pem' }", "issuers[0].keys.client_cert", "readable file"),
    (ISSUER + 'keys = { ca_file = "a\\u0000b" }', "issuers[0].keys.ca_file", "readable file"),
    (ISSUER + "jwks_uri = 'https://login.example/${TENANT}/keys'", "issuers[0].jwks_uri", "placeholder"),
    (ISSUER + "expected_claims = { tid = ['${TENANT}'] }", "issuers[0].expected_claims.tid[0]", "placeholder"),
    (ISSUER + "keys = { headers = { 'X-Key' = '${KEY}' } }", "issuers[0].keys.headers.X-Key", "placeholder"),
    ("cache_secret = '${SECRET}'\n" + ISSUER, "cache_secret", "placeholder"),
    (ISSUER + "keys = { sources = [] }", "issuers[0].keys.sources", "not a setting"),
    (ISSUER + "symmetric_keys = ['s']", "issuers[0].symmetric_keys[0]", "must be a table"),
    (ISSUER + "symmetric_keys = [{}]", "issuers[0].symmetric_keys[0].secret", "given once"),
    (ISSUER + "symmetric_keys = [{ secret = 'short' }]", "issuers[0].symmetric_keys[0].secret", "at least 32 bytes"),
    (
        ISSUER + f"symmetric_keys = [{{ secret_base64url = '{SECRET}' }}]",
        "issuers[0].symmetric_keys[0].secret_base64url",
        "base64url",
    ),
    (
        ISSUER + f"symmetric_keys = [{{ secret = '{SECRET}', algorithm = 'RS256' }}]",
        "issuers[0].symmetric_keys[0].algorithm",
        "HS256, HS384 or HS512",
    ),
    (
        ISSUER + f"symmetric_keys = [{{ secret = '{SECRET}', key = 1 }}]",
        "issuers[0].symmetric_keys[0].key",
        "not a setting",
    ),
]


@pytest.mark.parametrize(("content", "setting", "must"), WRONG_FILES)
def test_invalid_files_name_the_place(tmp_path: Path, content: str, setting: str, must: str) -> None:
    """A ConfigurationError names the place and the remedy in one line, and shows no value."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(_file(tmp_path, content))
    assert caught.value.setting == setting
    assert must in caught.value.requirement
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", [b"a = ", b"\xff", b"= 1", b"a = 1\na = 2", b"a = " + b"[" * 5000])
def test_invalid_toml_names_the_file(tmp_path: Path, content: bytes) -> None:
    """Whatever the bytes of the file, the answer is a ConfigurationError that names the file."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="must be TOML") as caught:
        Settings.from_toml(path)
    assert caught.value.setting == str(path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """Neither a missing file nor a folder is a configuration."""
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigurationError, match="readable file"):
            Settings.from_toml(path)


def test_file_and_environment_exclude_each_other(tmp_path: Path) -> None:
    """With a file, a variable that would be ignored is refused; settings of the program's own win over the file's."""
    path = _file(tmp_path, 'notes = "a"\n' + ISSUER)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({"BEARWARD_CONFIG": path, "BEARWARD_AUDIENCE": "b"}, extra_names=["notes"])
    assert caught.value.setting == "BEARWARD_AUDIENCE"
    loaded = Settings.load({"BEARWARD_CONFIG": "ignored", "BEARWARD_NOTES": "b"}, config=path, extra_names=["notes"])
    assert loaded.extra == {"notes": "b"}
    assert Settings.load({"BEARWARD_CONFIG": path}, extra_names=["notes"]).extra == {"notes": "a"}


def test_verifier_errors_are_named_as_they_were_set() -> None:
    """A cache that is invalid is named by its variable."""
    Settings.from_environment(GOOD).verifier()
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({**GOOD, "BEARWARD_CACHE": "gopher://cache"}).verifier()
    assert caught.value.setting == "BEARWARD_CACHE"


def test_settings_show_no_secret(tmp_path: Path) -> None:
    """Neither the cache's URL, which may hold a password, nor a secret stands in a repr."""
    shown = repr(Settings.from_toml(_file(tmp_path, FULL), extra_names=["notes"]))
    assert "0123456789abcdef" not in shown
    assert "redis" not in shown


def _file(folder: Path, content: str) -> str:
    path = folder / "settings.toml"
    path.write_text(content)
    return str(path)


def test_shared_cache_needs_a_secret_or_the_setting_that_says_what_is_missing(tmp_path: Path) -> None:
    """In the environment and in a file; the error names what is to be set, and the way out."""
    base = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "a", "BEARWARD_CACHE": "redis://cache"}
    with pytest.raises(ConfigurationError, match=r"^BEARWARD_CACHE_SECRET: must be set beside a shared") as refused:
        Settings.load(base).verifier()
    assert "unsafe_allow_unauthenticated_cache" in str(refused.value)
    Settings.load({**base, "BEARWARD_CACHE_SECRET": "0123456789abcdef"}).verifier()
    Settings.load({**base, "BEARWARD_UNSAFE_ALLOW_UNAUTHENTICATED_CACHE": "true"}).verifier()
    path = tmp_path / "settings.toml"
    path.write_text("cache = 'redis://cache'\n" + ISSUER)
    with pytest.raises(ConfigurationError, match=r"^cache_secret: must be set beside a shared"):
        Settings.from_toml(path).verifier()
    path.write_text("cache = 'redis://cache'\nunsafe_allow_unauthenticated_cache = true\n" + ISSUER)
    Settings.from_toml(path).verifier()
    path.write_text("unsafe_allow_unauthenticated_cache = 1\n" + ISSUER)
    with pytest.raises(ConfigurationError, match=r"^unsafe_allow_unauthenticated_cache: must be true or false"):
        Settings.from_toml(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEARWARD_EXPECTED_CLAIMS", '{"use": "access", "use": "any"}'),
        ("BEARWARD_ISSUERS", '[{"issuer": "https://a.example", "audience": "a", "audience": "b"}]'),
        ("BEARWARD_EXPECTED_CLAIMS", '{"use": NaN}'),
    ],
)
def test_json_of_a_variable_names_nothing_twice(name: str, value: str) -> None:
    """One of the two would count, and nobody sees which (RFC 8259 section 4)."""
    given = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "a"} if name.endswith("CLAIMS") else {}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({**given, name: value})
    assert caught.value.setting == name


def test_number_of_a_secret_is_written_in_one_way() -> None:
    """Two variables for one place would leave one of them out."""
    given = {"BEARWARD_ISSUER": "ours", "BEARWARD_AUDIENCE": "a"}
    with pytest.raises(ConfigurationError):
        Settings.from_environment({**given, "BEARWARD_SYMMETRIC_KEYS_00_SECRET": "0" * 32})


@pytest.mark.parametrize(
    ("setting", "make"),
    [
        ("client_claim", lambda: TrustedIssuer("https://a.example", audience="a", client_claim=["client_id", "azp"])),  # type: ignore[arg-type]
        ("place.header_claims", lambda: CredentialPlace(header="x-assertion", header_claims=5)),  # type: ignore[arg-type]
    ],
)
def test_wrong_type_is_a_named_mistake(setting: str, make: Callable[[], object]) -> None:
    """And no `TypeError`, which would name nothing."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.setting == setting
