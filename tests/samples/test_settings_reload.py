"""The sample servers read their settings again: when a file changes, and at SIGHUP; all workers, and without a restart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward.testing import LocalIssuer
from samples.processes import Process
from tests.samples.servers import SERVERS, access, becomes_ready, until

pytestmark = pytest.mark.thorough
GRANTED = "Access granted"
_IN_A_ROW = 8
"""Calls on new connections: each may come to another worker."""


@pytest.fixture
def other() -> Iterator[LocalIssuer]:
    """The issuer that is to be trusted later."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        yield local


def settings(*issuers: LocalIssuer) -> str:
    """A configuration file that trusts them."""
    return "\n".join(f'[[issuers]]\nissuer = "{each.url}"\naudience = "{each.audience}"\n' for each in issuers)


def mount(folder: Path, version: str, text: str) -> Path:
    """As Kubernetes mounts a ConfigMap: the file is a symlink into `..data`, a symlink that is swapped."""
    (folder / version).mkdir()
    (folder / version / "bearward.toml").write_text(text)
    (folder / "..next").symlink_to(version)
    (folder / "..next").rename(folder / "..data")
    path = folder / "bearward.toml"
    if not path.is_symlink():
        path.symlink_to("..data/bearward.toml")
    return path


def all_hear(url: str, token: str, answer: str) -> None:
    """Wait until every worker gives this answer."""
    until(lambda: all(access(url, token) == answer for _ in range(_IN_A_ROW)))


@pytest.mark.parametrize("command", SERVERS, ids=" ".join)
def test_changed_settings_take_effect_without_a_restart(
    command: list[str], issuer: LocalIssuer, other: LocalIssuer, tmp_path: Path
) -> None:
    """An issuer is added, the first one removed; a broken file in between is one line and changes nothing."""
    config = mount(tmp_path, "one", settings(issuer))
    with Process(command[0], "--port", "0", *command[1:], "--config", str(config)) as server:
        url = server.url()
        becomes_ready(url)
        assert access(url, other.mint()) == "issuer_untrusted"
        mount(tmp_path, "two", settings(issuer, other))
        all_hear(url, other.mint(), GRANTED)
        assert access(url, issuer.mint()) == GRANTED
        assert server.errors() == ""
        mount(tmp_path, "three", settings(other).replace("audience", "audeince"))
        until(lambda: server.errors().count("the last good ones stay in force") == (2 if "2" in command else 1))
        assert "audeince" in server.errors()
        assert access(url, issuer.mint()) == GRANTED
        mount(tmp_path, "four", settings(other))
        all_hear(url, issuer.mint(), "issuer_untrusted")
        all_hear(url, other.mint(), GRANTED)
        assert server.stop() == 0


@pytest.mark.parametrize("command", SERVERS, ids=" ".join)
def test_sighup_has_the_settings_read_again(
    command: list[str], issuer: LocalIssuer, other: LocalIssuer, tmp_path: Path
) -> None:
    """Also where no file shows that it has changed: same time, same size, same number."""
    config = tmp_path / "bearward.toml"
    text, changed = settings(issuer), settings(issuer).replace(issuer.audience, other.audience[:-1] + "x")
    assert len(text) == len(changed)
    config.write_text(text)
    status = config.stat()
    with Process(command[0], "--port", "0", *command[1:], "--config", str(config)) as server:
        url = server.url()
        becomes_ready(url)
        token = issuer.mint(aud=other.audience[:-1] + "x")
        assert access(url, token) == "audience_mismatch"
        config.write_text(changed)
        os.utime(config, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.kill(server.pid, signal.SIGHUP)
        all_hear(url, token, GRANTED)
        assert server.stop() == 0


@pytest.mark.parametrize("module", ["samples.http_server", "samples.grpc_server"])
def test_settings_that_need_a_restart_are_named(module: str, issuer: LocalIssuer, tmp_path: Path) -> None:
    """It is not silently left as it was."""
    config = tmp_path / "bearward.toml"
    config.write_text(settings(issuer))
    with Process(module, "--port", "0", "--config", str(config)) as server:
        becomes_ready(server.url())
        config.write_text("token_cache = 0\n" + settings(issuer))
        until(lambda: "take effect at the next start only: token_cache" in server.errors())
        assert access(server.url(), issuer.mint()) == GRANTED
        assert server.stop() == 0
