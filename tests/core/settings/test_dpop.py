"""DPoP from the environment and from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bearward import ConfigurationError, Verifier
from bearward.dpop import LocalReplays, SharedReplays
from bearward.settings import Settings

GOOD = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "https://api.example"}
ON = {**GOOD, "BEARWARD_DPOP": "allowed", "BEARWARD_ORIGINS": "https://api.example"}
NOW = 1_800_000_000.0
ISSUER = '[[issuers]]\nissuer = "https://login.example/"\naudience = "https://api.example"\n'


def verifier_of(**variables: str) -> Verifier:
    """A verifier by these variables, beside those that switch DPoP on."""
    return Settings.from_environment({**ON, **variables}).verifier()


def nonce_of(verifier: Verifier) -> str:
    """The nonce that it gives."""
    assert verifier.dpop is not None
    assert verifier.dpop.nonces is not None
    return verifier.dpop.nonces.current(NOW)


def test_dpop_is_off_unless_it_is_asked_for() -> None:
    """Then tokens that are bound to a key are refused."""
    assert Settings.from_environment(GOOD).verifier().dpop is None
    assert verifier_of(BEARWARD_DPOP="off").dpop is None


def test_each_variable_reaches_the_policy() -> None:
    """Mode, origins, window and nonces."""
    verifier = verifier_of(
        BEARWARD_DPOP="required",
        BEARWARD_ORIGINS="https://api.example, https://api2.example:8443",
        BEARWARD_DPOP_WINDOW="5",
        BEARWARD_DPOP_NONCE="on",
        BEARWARD_CACHE_SECRET="0123456789abcdef",
    )
    assert verifier.dpop is not None
    assert verifier.dpop.required
    assert verifier.dpop.window == 5
    assert verifier.dpop.public_origins.origins == ("https://api.example", "https://api2.example:8443")
    assert verifier.dpop.nonces is not None
    assert verifier.dpop.nonces.period == 5
    assert isinstance(verifier.replays, LocalReplays)
    allowed = verifier_of()
    assert allowed.dpop is not None
    assert (allowed.dpop.required, allowed.dpop.window, allowed.dpop.nonces) == (False, 60, None)


def test_nonces_are_those_of_all_with_the_secret() -> None:
    """Without one they are those of this process and the workers that it starts."""
    on = {"BEARWARD_DPOP_NONCE": "on"}
    ours = nonce_of(verifier_of(**on, BEARWARD_CACHE_SECRET="0123456789abcdef"))
    assert ours == nonce_of(verifier_of(**on, BEARWARD_CACHE_SECRET="0123456789abcdef"))
    assert ours != nonce_of(verifier_of(**on, BEARWARD_CACHE_SECRET="another secret of 16"))
    assert nonce_of(verifier_of(**on)) == nonce_of(verifier_of(**on)) != ours


def test_used_proofs_are_remembered_where_the_cache_is() -> None:
    """A fleet that shares a cache shares the memory, with a secret or without one, and refuses while it fails."""
    unauthenticated = {"BEARWARD_UNSAFE_ALLOW_UNAUTHENTICATED_CACHE": "true"}
    for secret in (unauthenticated, {"BEARWARD_CACHE_SECRET": "0123456789abcdef"}):
        replays = verifier_of(BEARWARD_CACHE="redis://cache:6379/0", **secret).replays
        assert isinstance(replays, SharedReplays)
        assert "refusing all" in repr(replays)


def test_listening_address_stands_in_for_origins() -> None:
    """Where no origins are set; without either there is nothing to compare with."""
    unset = Settings.from_environment({**GOOD, "BEARWARD_DPOP": "allowed"})
    listening = unset.verifier(default_origins=["http://127.0.0.1:8000"])
    assert listening.dpop is not None
    assert listening.dpop.public_origins.origins == ("http://127.0.0.1:8000",)
    with pytest.raises(ConfigurationError) as caught:
        unset.verifier()
    assert caught.value.setting == "BEARWARD_ORIGINS"
    given = Settings.from_environment(ON).verifier(default_origins=["http://127.0.0.1:8000"])
    assert given.dpop is not None
    assert given.dpop.public_origins.origins == ("https://api.example",)


@pytest.mark.parametrize(
    ("variables", "setting"),
    [
        ({"BEARWARD_DPOP": "on"}, "BEARWARD_DPOP"),
        ({"BEARWARD_DPOP_NONCE": "yes"}, "BEARWARD_DPOP_NONCE"),
        ({"BEARWARD_DPOP_WINDOW": "soon"}, "BEARWARD_DPOP_WINDOW"),
        ({"BEARWARD_DPOP_WINDOW": "0"}, "BEARWARD_DPOP_WINDOW"),
        ({"BEARWARD_DPOP_WINDOW": "601"}, "BEARWARD_DPOP_WINDOW"),
        ({"BEARWARD_ORIGINS": "api.example"}, "BEARWARD_ORIGINS"),
        ({"BEARWARD_ORIGINS": "https://a.example,,"}, "BEARWARD_ORIGINS"),
        ({"BEARWARD_ORIGINS": "https://a.example/path"}, "BEARWARD_ORIGINS"),
        ({"BEARWARD_DPOP_NONCE": "on", "BEARWARD_CACHE_SECRET": "short"}, "BEARWARD_CACHE_SECRET"),
    ],
    ids=str,
)
def test_invalid_variable_is_named(variables: dict[str, str], setting: str) -> None:
    """Whether it is found when it is read or when the verifier is made."""
    with pytest.raises(ConfigurationError) as caught:
        verifier_of(**variables)
    assert caught.value.setting == setting


def test_file_configures_dpop(tmp_path: Path) -> None:
    """In a table of its own, where the prefix, the algorithms and what a failing store means can be said too."""
    path = tmp_path / "settings.toml"
    path.write_text(
        'cache = "redis://cache:6379/0"\ncache_secret = "0123456789abcdef"\n[dpop]\nmode = "required"\norigins = ["https://api.example"]\n'
        'prefix = "/orders"\nalgorithms = ["ES256"]\nnonce = true\nwindow = 10\non_failure = "accept"\n' + ISSUER
    )
    verifier = Settings.from_toml(path).verifier()
    assert verifier.dpop is not None
    assert verifier.dpop.public_origins.match("https://api.example/orders/x", "/x")
    assert verifier.dpop.algorithms == ("ES256",)
    assert "accepting" in repr(verifier.replays)


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ('mode = "on"', "dpop.mode"),
        ("nonce = 1", "dpop.nonce"),
        ('window = "10"', "dpop.window"),
        ('origins = "https://api.example/x"', "dpop.origins"),
        ("origins = [1]", "dpop.origins"),
        ('prefix = "orders"', "dpop.prefix"),
        ('algorithms = ["HS256"]', "dpop.algorithms"),
        ('on_failure = "ignore"', "dpop.on_failure"),
        ("windows = 10", "dpop.windows"),
    ],
)
def test_invalid_table_is_named(tmp_path: Path, line: str, setting: str) -> None:
    """Each setting by its place in the file."""
    given: dict[str, Any] = {"mode": '"allowed"', "origins": '["https://api.example"]'}
    given[line.partition(" ")[0]] = line.partition(" = ")[2]
    path = tmp_path / "settings.toml"
    path.write_text("[dpop]\n" + "".join(f"{name} = {value}\n" for name, value in given.items()) + ISSUER)
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_toml(path).verifier()
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    "variables",
    [{"BEARWARD_ORIGINS": "https://api.example"}, {"BEARWARD_DPOP_NONCE": "on"}, {"BEARWARD_DPOP_WINDOW": "10"}],
    ids=str,
)
def test_settings_of_dpop_need_its_mode(variables: dict[str, str]) -> None:
    """Whoever says what proofs must be like believes that they are asked for."""
    with pytest.raises(ConfigurationError, match="must be set with the others") as caught:
        Settings.from_environment({**GOOD, **variables}).verifier()
    assert caught.value.setting == "BEARWARD_DPOP"


@pytest.mark.parametrize(
    "name", ["BEARWARD_DPOP_REQUIRED", "BEARWARD_KEYS_PINNED", "BEARWARD_REVOCATIONS_REFUSE", "BEARWARD_DPOP_MAX_AGE"]
)
def test_variable_that_is_named_as_a_setting_is_refused(name: str) -> None:
    """Under the names of DPoP, keys and revocations there is nobody else's."""
    with pytest.raises(ConfigurationError, match="is not a setting here") as caught:
        Settings.from_environment({**ON, name: "true"})
    assert caught.value.setting == name
