"""Revocations that the sample servers share: `samples.revoke` ends tokens in all of them, and live streams with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx2
import pytest

from bearward.testing import LocalIssuer
from samples.processes import Process
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.core.jwks.cache_servers import Valkey
from tests.samples.conftest import SCOPES
from tests.samples.servers import (
    SERVERS,
    TIMEOUT,
    access,
    bearer,
    becomes_ready,
    channel_to,
    is_ready,
    metadata,
    until,
    until_heard,
)

pytestmark = pytest.mark.thorough

SETTINGS = """
cache = '{cache}'
cache_secret = 'the same in the whole fleet'

[revocations]
on_failure = '{on_failure}'
grace = 0.1

[[issuers]]
issuer = '{issuer}'
audience = '{audience}'
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Valkey]:
    """A store that the servers share."""
    with Valkey(tmp_path) as valkey:
        yield valkey


def _config(store: Valkey, issuer: LocalIssuer, on_failure: str) -> str:
    path = store.directory / f"{on_failure}.toml"
    values = {"cache": store.url, "issuer": issuer.url, "audience": issuer.audience, "on_failure": on_failure}
    path.write_text(SETTINGS.format(**values))
    return str(path)


def _says(url: str, *, ready: bool) -> bool:
    return is_ready(url) is ready


def _revoke(config: str, *words: str) -> tuple[int, list[str], str]:
    with Process("samples.revoke", "--config", config, *words) as command:
        return command.wait(), command.lines, command.errors()


def test_revocation_reaches_every_server(store: Valkey, issuer: LocalIssuer) -> None:
    """By subject, by token, by session and by key; whoever is not meant goes on."""
    config = _config(store, issuer, "refuse")
    ada, bob = issuer.mint(sub="ada", scope=SCOPES), issuer.mint(sub="bob", jti="seven", sid="s")
    cy, other = issuer.mint(sub="cy", sid="monday"), issuer.mint(sub="other")
    with ExitStack() as stack:
        servers = [stack.enter_context(Process(*it, "--port", "0", "--config", config)) for it in SERVERS]
        urls = [server.url() for server in servers]
        for url in urls:
            becomes_ready(url)
            assert {access(url, token) for token in (ada, bob, cy, other)} == {"Access granted"}
        for words, token in (
            (("subject", "ada"), ada),
            (("token", "seven"), bob),
            (("session", "monday", "--issuer", issuer.url), cy),
        ):
            assert _revoke(config, *words) == (0, ["revoked"], "")
            for url in urls:
                until_heard(url, token, "token_revoked")
                assert access(url, other) == "Access granted"
        assert _revoke(config, "key", issuer.key().thumbprint)[0] == 0
        for url in urls:
            until_heard(url, other, "token_revoked")


def test_live_streams_end_when_their_token_is_revoked(store: Valkey, issuer: LocalIssuer) -> None:
    """An HTTP stream and a gRPC one, though nothing is sent."""
    config = _config(store, issuer, "accept")
    token = issuer.mint(sub="ada", scope=SCOPES)
    with ExitStack() as stack:
        http, aio = (
            stack.enter_context(Process(*command, "--port", "0", "--config", config)).url()
            for command in (SERVERS[0], SERVERS[2])
        )
        stub = ProtectedServiceStub(channel_to(stack, aio))
        watching = stub.WatchNotes(messages.WatchNotesRequest(), metadata=metadata(token), timeout=TIMEOUT)
        watching.initial_metadata()
        stream = httpx2.stream("GET", f"{http}/notes/stream", headers=bearer(token), timeout=TIMEOUT)
        response = stack.enter_context(stream)
        ended = threading.Thread(target=lambda: list(response.iter_raw()))
        ended.start()
        assert _revoke(config, "subject", "ada")[0] == 0
        ended.join(TIMEOUT)
        assert not ended.is_alive()
        assert (watching.code().name, dict(watching.trailing_metadata())["bearward-code"]) == (
            "UNAUTHENTICATED",
            "token_revoked",
        )


@pytest.mark.parametrize(
    ("on_failure", "answer", "ready"),
    [("refuse", "revocation_unavailable", False), ("accept", "Access granted", True)],
)
def test_on_failure_decides_while_the_store_is_down(
    store: Valkey, issuer: LocalIssuer, on_failure: str, answer: str, ready: bool
) -> None:
    """All calls are refused, or decided by what is known; both end once the store is back."""
    config = _config(store, issuer, on_failure)
    token = issuer.mint()
    with ExitStack() as stack:
        urls = [stack.enter_context(Process(*command, "--port", "0", "--config", config)).url() for command in SERVERS]
        for url in urls:
            becomes_ready(url)
            assert access(url, token) == "Access granted"
        store.stop()
        code, said, wrong = _revoke(config, "subject", "ada")
        assert (code, said) == (1, [])
        assert "not revoked" in wrong
        for url in urls:
            until_heard(url, token, answer)
            until(partial(_says, url, ready=ready))
        store.start()
        for url in urls:
            until_heard(url, token, "Access granted")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("subject", "ada"), "BEARWARD_REVOCATIONS_ON_FAILURE"),
        (("everybody", "ada"), "everybody"),
        (("subject", "ada", "--keep", "for ever"), "--keep"),
        (("subject", "ada", "--issuer", "https://other.example"), "--issuer"),
    ],
)
def test_invalid_revocation_is_one_line_and_exit_code_2(words: tuple[str, ...], name: str) -> None:
    """If nothing is shared, no server can learn of it."""
    settings = {"BEARWARD_ISSUER": "http://127.0.0.1:1", "BEARWARD_AUDIENCE": "a"}
    with Process("samples.revoke", *words, environment=settings) as command:
        assert command.wait() == 2
        (line,) = command.errors().splitlines()
        assert name in line
