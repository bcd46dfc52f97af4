"""Every setting that the documentation lists works in `app.config`: from Sanic's environment, as text, and as a value."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from sanic.config import Config

from bearward import ConfigurationError, Verifier, public
from bearward.settings import Settings
from bearward.settings.catalogue import SECRET_FILES, VARIABLES
from bearward_sanic import AdapterSettings, CookieCredentials, SocketTickets
from bearward_sanic.app_config import adapter_settings, configured, settings_from
from tests.core.settings.test_catalogue import value_of

GOOD: Final = {"BEARWARD_ISSUER": "https://login.example", "BEARWARD_AUDIENCE": "a"}


def config_of(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration that Sanic makes of its environment: numbers and booleans of what looks like them."""
    for name, value in environ.items():
        monkeypatch.setenv(f"SANIC_{name}", value)
    return Config()


NAMES: Final = sorted(VARIABLES.keys() - {"BEARWARD_KEYS_X5C_AUTHORITIES"})


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_works_in_the_environment_of_sanic(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It means there what it means in the environment of any other program."""
    value, beside = value_of(name, tmp_path)
    environ = {**beside, name: value}
    assert settings_from(config_of(environ, monkeypatch)) == Settings.load(environ)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_works_in_app_config(name: str, tmp_path: Path) -> None:
    """As text; and none is taken for a mistake of the adapter."""
    value, beside = value_of(name, tmp_path)
    environ = {**beside, name: value}
    config: dict[str, Any] = {**environ, "REQUEST_TIMEOUT": 5}
    assert settings_from(config) == Settings.load(environ)
    assert adapter_settings(config, {}) == AdapterSettings()


@pytest.mark.parametrize("name", sorted(SECRET_FILES))
def test_every_secret_file_works_in_app_config(name: str, tmp_path: Path) -> None:
    """The name of a file in place of a secret."""
    value, beside = value_of(SECRET_FILES[name], tmp_path)
    (tmp_path / "secret").write_text(value)
    config = {**beside, name: str(tmp_path / "secret")}
    config.pop(SECRET_FILES[name], None)
    assert settings_from(config) == Settings.load({**beside, SECRET_FILES[name]: value})
    assert adapter_settings(config, {}) == AdapterSettings()


def test_file_profile_and_places_work_in_app_config(tmp_path: Path) -> None:
    """What has no variable of its own in the list: a file, arguments of a profile, a secret by its place."""
    path = tmp_path / "settings.toml"
    path.write_text('[[issuers]]\nissuer = "us"\naudience = "a"\nsymmetric_keys = [{ kid = "k" }]\n')
    secret = {"BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET": "0123456789abcdef0123456789abcdef"}
    for config in (
        {"BEARWARD_CONFIG": str(path), **secret},
        {"BEARWARD_PROFILE": "keycloak", "BEARWARD_PROFILE_HOST": "k.example", "BEARWARD_PROFILE_REALM": "r", "BEARWARD_AUDIENCE": "a"},
        {"BEARWARD_PROFILE": "entra_multi_tenant", "BEARWARD_PROFILE_API": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "BEARWARD_PROFILE_EVERY_TENANT": True},
    ):  # fmt: skip
        settings, verifier = configured(config, {}, None)
        assert settings == AdapterSettings()
        assert isinstance(verifier, Verifier)


VALUES: Final[dict[str, Any]] = {
    "default": "authenticated",
    "unsafe_default": "optional",
    "rules": {"logo": "public", "notes": {"scopes": ["notes:read"]}},
    "hide_unknown_routes": False,
    "realm": "notes",
    "resource": "https://api.example",
    "resource_metadata": "https://api.example/metadata",
    "resource_name": "Notes",
    "resource_documentation": "https://docs.example",
    "max_token_length": 9000,
    "cookie": CookieCredentials(origins=("https://app.example",)),
    "form": True,
    "query": True,
    "websocket_subprotocol": False,
    "socket_tickets": SocketTickets(b"0123456789abcdef"),
    "websocket_refusal": "close",
    "stream_expiry": "ignore",
    "stream_leeway": 2.5,
    "refusal_docs": "https://docs.example/refusals",
    "render_refusal": lambda request, refusal, response: response,
    "client_certificate": lambda request: None,
    "unsafe_binding_proved_by": None,
    "oauth_token_url": "https://login.example/token",
    "oauth_authorization_url": "https://login.example/authorize",
    "offline_docs": True,
}


@pytest.mark.parametrize("name", [field.name for field in fields(AdapterSettings)])
def test_every_setting_of_the_adapter_works_in_app_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the value that an argument has, and what text can say also in the environment of Sanic."""
    beside = {"oauth_token_url": VALUES["oauth_token_url"]} if name == "oauth_authorization_url" else {}
    by_argument = adapter_settings({}, {**beside, name: VALUES[name]})
    config = {f"BEARWARD_{each.upper()}": value for each, value in {**beside, name: VALUES[name]}.items()}
    assert adapter_settings(config, {}) == by_argument
    if isinstance(VALUES[name], str | bool | int | float | dict):
        text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
        assert adapter_settings(config_of(text, monkeypatch), {}) == by_argument


def test_socket_tickets_may_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret, or a file that holds it, and a lifetime in seconds."""
    (tmp_path / "secret").write_text("0123456789abcdef\n")
    environ = {"BEARWARD_SOCKET_TICKETS_SECRET": "0123456789abcdef", "BEARWARD_SOCKET_TICKETS_LIFETIME": "5"}
    made = adapter_settings(config_of(environ, monkeypatch), {}).socket_tickets
    assert made is not None
    assert made.lifetime == 5
    read = adapter_settings({"BEARWARD_SOCKET_TICKETS_SECRET_FILE": str(tmp_path / "secret")}, {}).socket_tickets
    assert read is not None
    for wrong, named in (
        ({"SECRET": "short"}, "BEARWARD_SOCKET_TICKETS_SECRET"),
        ({"SECRET": "0123456789abcdef", "LIFETIME": 0}, "BEARWARD_SOCKET_TICKETS_LIFETIME"),
        ({"SECRET": "0123456789abcdef", "SECRET_FILE": "/x"}, "BEARWARD_SOCKET_TICKETS_SECRET"),
        ({"SECRET_FILE": "/nowhere"}, "BEARWARD_SOCKET_TICKETS_SECRET_FILE"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            adapter_settings({f"BEARWARD_SOCKET_TICKETS_{name}": value for name, value in wrong.items()}, {})
        assert caught.value.setting == named


def test_name_that_sanic_made_a_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """`0123` came as 123, so it cannot be known what was meant: the message says how to write it."""
    with pytest.raises(ConfigurationError) as caught:
        settings_from(config_of({**GOOD, "BEARWARD_AUDIENCE": "0123"}, monkeypatch))
    assert str(caught.value).endswith('such as ["a", "b"]: strings, in quotes')
    (issuer,) = settings_from(config_of({**GOOD, "BEARWARD_AUDIENCE": '["0123"]'}, monkeypatch)).issuers
    assert getattr(issuer, "audience", None) == {"0123"}


def test_every_mistake_of_a_configuration_is_said_at_once() -> None:
    """Those of the adapter, of the verifier and of unknown names, each by its name in `app.config`."""
    config = {
        **GOOD,
        "BEARWARD_LEEWAY": "soon",
        "BEARWARD_CACHE": "gopher://cache",
        "BEARWARD_REALMS": "x",
        "BEARWARD_ISUER": "x",
        "BEARWARD_FORM": "yes",
        "BEARWARD_STREAM_LEEWAY": -1,
        "BEARWARD_RULES": {"a": "publik", "b": {"scope": "x"}},
        "BEARWARD_SOMETHING_ELSE_ENTIRELY": "x",
    }
    with pytest.raises(ConfigurationError) as caught:
        configured(config, {"hide_unknwon_routes": True}, None)
    lines = [str(mistake) for mistake in caught.value.mistakes]
    for expected in (
        "BEARWARD_LEEWAY: must be a number of seconds between 0 and 300",
        "BEARWARD_CACHE: must be a URL",
        "BEARWARD_REALMS: is not a setting here; did you mean 'BEARWARD_REALM'?",
        "BEARWARD_ISUER: is not a setting here; did you mean 'BEARWARD_ISSUER'?",
        "BEARWARD_FORM: must be true or false",
        "BEARWARD_STREAM_LEEWAY: must be a finite number",
        "BEARWARD_RULES['a']: must be public",
        "BEARWARD_RULES['b']: has no 'scope'",
        "BEARWARD_SOMETHING_ELSE_ENTIRELY: is not a setting here",
        "hide_unknwon_routes: is not a setting here; did you mean 'hide_unknown_routes'?",
    ):
        assert [line for line in lines if line.startswith(expected)], (expected, lines)
    assert len(lines) == 10


def test_argument_wins_over_app_config() -> None:
    """And is named as such where it is wrong."""
    config = {"BEARWARD_REALM": "other", "BEARWARD_FORM": "yes"}
    assert adapter_settings(config, {"realm": "mine", "form": True}).realm == "mine"
    with pytest.raises(ConfigurationError) as caught:
        adapter_settings(config, {"form": "no"})
    assert caught.value.setting == "form"
    assert adapter_settings({"BEARWARD_RULES": {"a": "public"}}, {}).rules == {"a": public}
