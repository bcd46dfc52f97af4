"""Settings with several mistakes say all of them: a line for each, by its name, with what was meant where that is near."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Final

import pytest

from bearward import (
    ConfigurationError,
    Settings,
)
from bearward.errors import SeveralMistakesError
from bearward.settings.catalogue import PREFIX

HEAD = '[[issuers]]\nissuer = "https://login.example"\naudience = "a"\n'
FILES: dict[str, tuple[str, list[str]]] = {
    "names": (
        'cach = "memory://"\n' + HEAD + "leway = 5\njwks_url = 7\n[issuers.keys]\nmax_aeg = 5\n",
        [
            "cach: is not a setting here; did you mean 'cache'?",
            "issuers[0].leway: is not a setting here; did you mean 'leeway'?",
            "issuers[0].jwks_url: is not a setting here; did you mean 'jwks_uri'?",
            "issuers[0].keys.max_aeg: is not a setting here; did you mean 'max_age'?",
        ],
    ),
    "values of one issuer": (
        HEAD + 'leeway = 900\nalgorithms = "none"\nmax_token_age = -1\nsender = "nobody"\n',
        [
            "issuers[0].sender: must be any, bearer or constrained",
            "issuers[0].algorithms: ",
            "issuers[0].leeway: must be a number of seconds between 0 and 300",
            "issuers[0].max_token_age: must be a number of seconds above 0",
        ],
    ),
    "two issuers": (
        HEAD.replace('audience = "a"\n', "") + HEAD + 'jwks_uri = "ftp://x"\n',
        ["issuers[0].audience: must name at least one audience", "issuers[1].jwks_uri: must be an https URL"],
    ),
    "keys": (
        HEAD + "[issuers.keys]\nmax_age = -1\ncooldown = 'x'\nca_file = 7\nmax_body = 0\n",
        [
            "issuers[0].keys.ca_file: must be a string",
            "issuers[0].keys.max_age: ",
            "issuers[0].keys.cooldown: ",
            "issuers[0].keys.max_body: ",
        ],
    ),
    "everything": (
        'explain = "yes"\ncache = 7\ncache_secret = 7\n[revocations]\nnmae = "x"\n[dpop]\nwindo = 5\n'
        + HEAD
        + "leeway = 900\n",
        [
            "issuers[0].leeway: ",
            "cache: must be a string",
            "cache_secret: must be a string",
            "revocations.nmae: is not a setting here; did you mean 'name'?",
            "revocations.on_failure: must be set: refuse or accept",
            "dpop.windo: is not a setting here; did you mean 'window'?",
            "explain: must be true or false",
        ],
    ),
    "a template": (
        '[[issuers]]\ntemplate = "https://login.example/{tenant}"\naudience = "a"\nleeway = 900\nmax_tenants = 0\ntenant = ["x"]\n',
        [
            "issuers[0].tenant: is not a setting here; did you mean 'tenants'?",
            "issuers[0].max_tenants: must be a whole number from 1",
            "issuers[0].leeway: must be a number of seconds between 0 and 300",
        ],
    ),
    "a template without a tenant": (
        '[[issuers]]\ntemplate = "https://login.example/{tenat}"\naudience = "a"\nleeway = 900\n',
        ["issuers[0].template: must be a template with one {tenant}", "issuers[0].leeway: must be a number of seconds"],
    ),
    "a profile": (
        '[[issuers]]\nprofile = "keycloak"\nhost = "keycloak.example"\nrealm = "demo"\naudience = "a"\nleeway = 900\nrelm = "x"\n',
        [
            "issuers[0].relm: is not a setting of the profile keycloak; did you mean 'realm'?",
            "issuers[0].leeway: must be a number of seconds between 0 and 300",
        ],
    ),
    "a profile's name": (
        '[[issuers]]\nprofile = "keycloack"\n',
        ["issuers[0].profile: is not a profile; did you mean 'keycloak'?"],
    ),
    "placeholders": (
        HEAD.replace("https://login.example", "${ISSUER}") + 'jwks_uri = "${JWKS}"\n',
        [
            "issuers[0].issuer: must not hold a placeholder",
            "issuers[0].jwks_uri: must not hold a placeholder",
        ],
    ),
}
VARIABLES_WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing": ({}, ["BEARWARD_ISSUER: must be set", "BEARWARD_AUDIENCE: must be set"]),
    "values": (
        {
            "ISSUER": "https://login.example",
            "AUDIENCE": "a",
            "LEEWAY": "soon",
            "EXPLAIN": "perhaps",
            "MAX_TOKEN_AGE": "-1",
        },
        [
            "BEARWARD_LEEWAY: must be a number of seconds between 0 and 300",
            "BEARWARD_MAX_TOKEN_AGE: must be a number of seconds above 0",
            "BEARWARD_EXPLAIN: must be true or false",
        ],
    ),
    "values that the issuer refuses": (
        {"ISSUER": "https://login.example", "AUDIENCE": "a", "LEEWAY": "900", "ALGORITHMS": "none"},
        ["BEARWARD_ALGORITHMS: ", "BEARWARD_LEEWAY: must be a number of seconds between 0 and 300"],
    ),
    "names": (
        {"ISSUER": "https://login.example", "AUDIENCE": "a", "LEWAY": "5", "JWKS_URL": "x"},
        [
            "BEARWARD_JWKS_URL: is not a setting here; did you mean 'BEARWARD_JWKS_URI'?",
            "BEARWARD_LEWAY: is not a setting here; did you mean 'BEARWARD_LEEWAY'?",
        ],
    ),
    "several issuers": (
        {
            "ISSUERS": '[{"issuer": "https://a.example", "leeway": 900}, {"issuer": "https://b.example", "audiense": "x"}]'
        },
        [
            "BEARWARD_ISSUERS[0].audience: must name at least one audience",
            "BEARWARD_ISSUERS[0].leeway: must be a number of seconds between 0 and 300",
            "BEARWARD_ISSUERS[1].audiense: is not a setting here; did you mean 'audience'?",
            "BEARWARD_ISSUERS[1].audience: must name at least one audience",
        ],
    ),
}


def lines_of(error: ConfigurationError) -> list[str]:
    """A line for each mistake."""
    assert str(error) == "\n".join(map(str, error.mistakes))
    return [str(mistake) for mistake in error.mistakes]


def assert_said(found: list[str], expected: list[str]) -> None:
    """Each mistake once, in the words that are expected."""
    assert len(found) == len(expected), found
    for line in expected:
        assert [text for text in found if text.startswith(line)], (line, found)


@pytest.mark.parametrize("name", FILES)
def test_file_names_every_mistake_that_is_in_it(name: str, tmp_path: Path) -> None:
    """By its place; none because of another."""
    text, expected = FILES[name]
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(path)
    assert_said(lines_of(caught.value), expected)


@pytest.mark.parametrize("name", VARIABLES_WRONG)
def test_environment_names_every_variable_that_is_wrong(name: str) -> None:
    """By its name."""
    given, expected = VARIABLES_WRONG[name]
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({PREFIX + variable: value for variable, value in given.items()})
    assert_said(lines_of(caught.value), expected)


OF_A_VERIFIER: Final = (
    'cache = "gopher://x"\ntoken_cache = -1\n'
    '[dpop]\nmode = "required"\norigins = ["api.example"]\nprefix = "orders"\nwindow = 900\nalgorithms = ["HS256"]\n'
    'nonce_secret = "0123456789abcdef"\n[revocations]\non_failure = "refuse"\ngrace = -1\nname = "a b"\n'
)
IN_A_VERIFIER: Final = [
    "cache: must be a URL with one of the schemes",
    "token_cache: must be",
    "dpop.origins: must be",
    "dpop.prefix: must be",
    "dpop.window: must be",
    "dpop.algorithms: must be among",
    "dpop.nonce_secret: must come with nonces",
    "revocations.grace: must be a number of seconds from 0 to 3600",
    "revocations.name: must be 1 to 64 letters",
    "cache_secret: must be at least 16 bytes",
]
"""What only a verifier finds, and options that conflict."""


@pytest.mark.parametrize("more", ["", "leeway = 900\n"], ids=["alone", "beside others"])
def test_mistakes_that_a_verifier_finds_are_said_at_once(more: str, tmp_path: Path) -> None:
    """Whether or not something else is wrong, which is said beside them."""
    path = tmp_path / "settings.toml"
    path.write_text(OF_A_VERIFIER + HEAD + more)
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(path).verifier()
    assert_said(lines_of(caught.value), IN_A_VERIFIER + (["issuers[0].leeway: must be"] if more else []))


def test_mistakes_that_a_verifier_finds_have_the_names_of_variables() -> None:
    """Where variables said it."""
    environ = {
        "BEARWARD_ISSUERS": '[{"issuer": "https://a.example", "audience": "a"}, {"issuer": "https://a.example", "audience": "b"}]',
        "BEARWARD_CACHE": "redis://cache",  # without a secret, which both the keys and the revocations miss
        "BEARWARD_DPOP": "allowed",
        "BEARWARD_DPOP_PREFIX": "orders",
        "BEARWARD_DPOP_NONCE_SECRET": "0123456789abcdef",
        "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse",
        "BEARWARD_REVOCATIONS_NAME": "a b",
    }
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ).verifier()
    named = sorted(mistake.setting for mistake in caught.value.mistakes)
    assert named == [
        "BEARWARD_CACHE_SECRET", "BEARWARD_DPOP_NONCE_SECRET", "BEARWARD_DPOP_PREFIX", "BEARWARD_ISSUERS",
        "BEARWARD_ORIGINS", "BEARWARD_REVOCATIONS_NAME",
    ]  # fmt: skip


def test_several_mistakes_are_one_error() -> None:
    """It can be caught, copied and pickled like one, and names the first where one is asked for."""
    error = SeveralMistakesError((ConfigurationError("a", "must be one"), ConfigurationError("b", "must be two")))
    assert isinstance(error, ConfigurationError)
    for clone in (error, copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert (clone.setting, clone.requirement, str(clone)) == ("a", "must be one", "a: must be one\nb: must be two")
        assert [each.setting for each in clone.mistakes] == ["a", "b"]


def _check_notes(value: object) -> None:
    if value != "good":
        raise ConfigurationError("path", "must be good")


def test_program_s_own_settings_are_judged_with_all_others(tmp_path: Path) -> None:
    """Named as they were given: in a file, or by a variable, which wins."""
    path = tmp_path / "settings.toml"
    path.write_text('notes = "bad"\n' + HEAD + "leeway = 900\n")
    names = {"notes": _check_notes, "other": _check_notes}
    with pytest.raises(ConfigurationError) as caught:
        Settings.load({"BEARWARD_OTHER": "bad"}, config=path, extra_names=names)
    expected = ["notes: must be good", "BEARWARD_OTHER: must be good", "issuers[0].leeway: "]
    assert_said(lines_of(caught.value), expected)
    environ = {"BEARWARD_ISSUER": "https://login.example", "BEARWARD_AUDIENCE": "a", "BEARWARD_NOTES": "good"}
    assert Settings.load(environ, extra_names=names).extra == {"notes": "good"}
