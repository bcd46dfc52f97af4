"""Secrets, by variables that are named after their place, and in files: never said twice, never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from bearward import ConfigurationError, TrustedIssuer
from bearward.settings import Settings

SECRET: Final = "a secret of the fleet, thirty-two bytes"
OTHER: Final = "another secret, and thirty-two bytes too"
FILE: Final = """
cache = "redis://public"
cache_secret = "public public public"
[[issuers]]
issuer = "https://one.example"
audience = "a"
symmetric_keys = [{ kid = "k", secret_file = "/nowhere" }]
[[issuers]]
issuer = "https://two.example"
audience = "a"
[issuers.keys]
headers = { "X-Api-Key" = "public", "X-Other" = "o" }
proxy_file = "/nowhere"
[revocations]
on_failure = "refuse"
[dpop]
mode = "allowed"
origins = "https://api.example"
nonce = true
"""
VALUES: Final = {
    "BEARWARD_CACHE": "redis://:password@cache",
    "BEARWARD_CACHE_SECRET": SECRET,
    "BEARWARD_REVOCATIONS_CACHE": "redis://:password@revocations",
    "BEARWARD_REVOCATIONS_CACHE_SECRET": OTHER,
    "BEARWARD_DPOP_NONCE_SECRET": OTHER,
    "BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET": SECRET,
    "BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_1_SECRET_BASE64URL": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
    "BEARWARD_ISSUERS_1_KEYS_PROXY": "http://me:password@proxy:1",
    "BEARWARD_ISSUERS_1_KEYS_HEADERS_X_API_KEY": "hidden",
    "BEARWARD_ISSUERS_1_KEYS_HEADERS_X_MORE": "more",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file without secrets."""
    path = tmp_path / "settings.toml"
    path.write_text(FILE)
    return path


def in_files(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The same variables, each naming a file that holds its value."""
    for name, value in variables.items():
        (folder / name).write_text(f"{value}\n")
    return {f"{name}_FILE": str(folder / name) for name in variables}


def held(settings: Settings) -> dict[str, Any]:
    """What settings hold of all of it."""
    one, two = settings.issuers
    assert isinstance(one, TrustedIssuer)
    assert settings.revocations is not None
    assert settings.dpop is not None
    return {
        "cache": [settings.cache, settings.cache_secret],
        "revocations": [settings.revocations["cache"], settings.revocations["cache_secret"]],
        "nonce": settings.dpop["nonce_secret"],
        "keys": [(key.kid, key.secret) for key in one.symmetric_keys],
        "http": [two.jwks_options.proxy, dict(two.jwks_options.headers)],
    }


HELD: Final = {
    "cache": ["redis://:password@cache", SECRET.encode()],
    "revocations": ["redis://:password@revocations", OTHER.encode()],
    "nonce": OTHER.encode(),
    "keys": [("k", SECRET.encode()), (None, b"0123456789abcdef" * 2)],
    "http": ["http://me:password@proxy:1", {"X-Api-Key": "hidden", "X-Other": "o", "x-more": "more"}],
}


@pytest.mark.parametrize("files", [False, True], ids=["variables", "files"])
def test_variable_named_after_the_place_wins_over_a_file(config: Path, files: bool, tmp_path: Path) -> None:
    """Also where the file names another file; and by the same name with `_FILE`, which is looked at for changes."""
    variables = in_files(VALUES, tmp_path) if files else VALUES
    settings = Settings.load(variables, config=config)
    assert held(settings) == HELD
    settings.verifier()
    assert set(settings.files) == {str(config), *(variables.values() if files else ())}


def test_variable_named_after_the_place_is_put_into_several_issuers() -> None:
    """Those of `BEARWARD_ISSUERS`; with one issuer in variables its number may be left out."""
    tables = [{"issuer": "https://one.example", "audience": "a"}, {"issuer": "us", "audience": "a"}]
    for environ in (
        {"BEARWARD_ISSUERS": json.dumps(tables), "BEARWARD_ISSUERS_1_SYMMETRIC_KEYS_0_SECRET": SECRET},
        {"BEARWARD_ISSUER": "us", "BEARWARD_AUDIENCE": "a", "BEARWARD_SYMMETRIC_KEYS_0_SECRET": SECRET},
        {"BEARWARD_ISSUER": "us", "BEARWARD_AUDIENCE": "a", "BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET": SECRET},
    ):
        issuer = Settings.load(environ).issuers[-1]
        assert isinstance(issuer, TrustedIssuer)
        assert [key.secret for key in issuer.symmetric_keys] == [SECRET.encode()]


@pytest.mark.parametrize("name", VALUES)
def test_secret_that_is_given_twice_names_both(config: Path, name: str, tmp_path: Path) -> None:
    """By a variable, and by a file that another names."""
    twice = {name: VALUES[name], **in_files({name: VALUES[name]}, tmp_path)}
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**VALUES, **twice}, config=config)
    assert str(caught.value) == f"{name}_FILE: must not be set together with {name}"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff" * 32, b"x" * 70_000], ids=range(5))
def test_every_file_that_cannot_be_is_one_mistake(config: Path, content: bytes | None, tmp_path: Path) -> None:
    """Missing, empty, no text or too large: all are named at once, beside other mistakes, and nothing else for that."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    config.write_text(FILE.replace('mode = "allowed"', 'mode = "alowed"'))
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({f"{name}_FILE": str(path) for name in VALUES}, config=config)
    named = [mistake.setting for mistake in caught.value.mistakes]
    assert sorted(named) == sorted([*(f"{name}_FILE" for name in VALUES), "dpop.mode"])


def test_secret_that_cannot_be_is_named_as_it_was_given(config: Path, tmp_path: Path) -> None:
    """By its variable, by the variable that names its file, or by its place; it is not shown."""
    short = in_files({"BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET": "hunter2"}, tmp_path)
    more = {"BEARWARD_ISSUERS_1_KEYS_PROXY": "hunter2", "BEARWARD_CACHE_SECRET": "hunter2"}
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**short, **more}, config=config)
    assert sorted(mistake.setting for mistake in caught.value.mistakes) == [
        "BEARWARD_CACHE_SECRET",
        "BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET_FILE",
        "BEARWARD_ISSUERS_1_KEYS_PROXY",
    ]
    assert "hunter2" not in str(caught.value)


WRONG: Final = {
    "BEARWARD_ISSUERS_2_KEYS_PROXY": "must have the number of one that there is: 2 are, counted from 0",
    "BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_7_SECRET": "must have the number of one that there is: 2 are, counted from 0",
    "BEARWARD_ISSUERS_0_SYMMETRIC_KEY_0_SECRET": (
        "is not a setting here; did you mean 'BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_0_SECRET'?"
    ),
    "BEARWARD_ISSUERS_1_KEYS_PROXI": "is not a setting here; did you mean 'BEARWARD_ISSUERS_1_KEYS_PROXY'?",
    "BEARWARD_ISSUERS_0_AUDIENCE": "is not a secret, and only secrets have variables by number",
    "BEARWARD_KEYS_PROXY": "must not be set together with a configuration file: say it there",
    "BEARWARD_SYMMETRIC_KEYS_0_SECRET": "must not be set together with a configuration file: say it there",
    "BEARWARD_ISSUERS": "must not be set together with a configuration file: say it there",
    "BEARWARD_LEEWAY": "must not be set together with a configuration file: say it there",
}


@pytest.mark.parametrize("name", WRONG)
def test_variable_beside_a_file_is_obeyed_or_refused(config: Path, name: str) -> None:
    """Nothing but a secret that has a place in the file."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({**VALUES, name: "[]"}, config=config)
    assert next(str(mistake) for mistake in caught.value.mistakes if mistake.setting == name).startswith(
        f"{name}: {WRONG[name]}"
    )


def test_what_is_called_like_a_secret_elsewhere_is_none(tmp_path: Path) -> None:
    """A claim may have the name of a setting; no file is read for it."""
    path = tmp_path / "settings.toml"
    path.write_text(
        '[[issuers]]\nissuer = "https://one.example"\naudience = "a"\nexpected_claims = { secret_file = "x" }\n'
    )
    (issuer,) = Settings.from_toml(path).issuers
    assert isinstance(issuer, TrustedIssuer)
    assert dict(issuer.expected_claims) == {"secret_file": ("x",)}


def test_no_secret_is_in_the_repr_of_the_settings() -> None:
    """A line of a log, or a traceback with its variables, shows whom to trust, and nothing that proves anything."""
    given = {
        "BEARWARD_ISSUER": "https://one.example",
        "BEARWARD_AUDIENCE": "a",
        "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse",
        "BEARWARD_DPOP": "allowed",
        "BEARWARD_DPOP_NONCE": "on",
        "BEARWARD_ORIGINS": "https://api.example",
        **{name: value for name, value in VALUES.items() if "ISSUERS" not in name},
    }
    shown = repr(Settings.from_environment(given))
    assert "https://one.example" in shown
    assert [text for text in (SECRET, OTHER, "password") if text in shown] == []
