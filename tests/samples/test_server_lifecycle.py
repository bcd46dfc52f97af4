"""How the sample servers start, wait for their issuer, share notes, and end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from bearward.testing import LocalIssuer
from samples.processes import Process
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.samples.conftest import SCOPES, environment
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

QUICK = "[[issuers]]\nissuer = '{issuer}'\naudience = '{audience}'\nkeys = {{ cooldown = 0.1, max_backoff = 0.1 }}\n"
ONE_OF_EACH = (SERVERS[0], SERVERS[2])
NAMES = [" ".join(command) for command in SERVERS]


def _config(folder: Path, issuer: LocalIssuer, more: str = "") -> str:
    path = folder / "settings.toml"
    path.write_text(more + QUICK.format(issuer=issuer.url, audience=issuer.audience))
    return str(path)


@pytest.mark.parametrize("command", SERVERS, ids=NAMES)
def test_server_starts_without_its_issuer(command: list[str], tmp_path: Path) -> None:
    """Down: it listens, is not ready, and refuses as unavailable; up: it is ready without being asked, and grants."""
    with LocalIssuer() as issuer, ExitStack() as stack:
        issuer.down()
        server = stack.enter_context(Process(*command, "--port", "0", "--config", _config(tmp_path, issuer)))
        url = server.url()
        assert not is_ready(url)
        assert access(url, issuer.mint()) == "keys_unavailable"
        issuer.up()
        becomes_ready(url)
        assert access(url, issuer.mint()) == "Access granted"
        assert server.stop() == 0


@pytest.mark.parametrize("command", SERVERS, ids=NAMES)
def test_server_does_not_wait_for_an_unresponsive_issuer(command: list[str], tmp_path: Path) -> None:
    """It listens while the issuer still owes an answer, and serves when that has come."""
    with LocalIssuer() as issuer, ExitStack() as stack:
        issuer.hold()
        server = stack.enter_context(Process(*command, "--port", "0", "--config", _config(tmp_path, issuer)))
        url = server.url()
        assert not is_ready(url)
        issuer.release()
        until(lambda: access(url, issuer.mint()) == "Access granted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", SERVERS, ids=NAMES)
def test_server_stops_cleanly_with_open_streams(
    command: list[str], number: signal.Signals, issuer: LocalIssuer
) -> None:
    """With streams open and silent: exit code 0, not a word on stderr, nothing but the ready line on stdout."""
    with Process(*command, "--port", "0", environment=environment(issuer)) as server, ExitStack() as stack:
        url = server.url()
        live = _http_streams if url.startswith("http") else _grpc_streams
        live(stack, url, issuer.mint(scope=SCOPES))
        assert server.stop(number) == 0
        assert (server.errors(), server.lines) == ("", [f"listening on {url}"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [*SERVERS, ["samples.issuer"]], ids=[*NAMES, "samples.issuer"])
def test_signal_right_after_the_ready_line_stops_the_server(
    command: list[str], number: signal.Signals, issuer: LocalIssuer
) -> None:
    """Told to stop in the very moment in which it says that it is ready, a server stops, with exit code 0."""
    settings = environment(issuer) if command != ["samples.issuer"] else {}
    with Process(*command, "--port", "0", environment=settings) as server:
        server.url()
        assert server.stop(number) == 0
        assert server.errors() == ""


def _http_streams(stack: ExitStack, url: str, token: str) -> None:
    for _ in range(3):
        stack.enter_context(httpx2.stream("GET", f"{url}/notes/stream", headers=bearer(token), timeout=TIMEOUT))
        address = f"ws{url.removeprefix('http')}/notes/ws"
        stack.enter_context(connect(address, additional_headers=bearer(token)))


def _grpc_streams(stack: ExitStack, url: str, token: str) -> None:
    channel = channel_to(stack, url)
    stub, who, over = ProtectedServiceStub(channel), metadata(token), threading.Event()
    stack.callback(over.set)

    def silent() -> Iterator[messages.ChatRequest]:
        over.wait(TIMEOUT)
        yield from ()

    for _ in range(3):
        watching = stub.WatchNotes(messages.WatchNotesRequest(), metadata=who, timeout=TIMEOUT)
        talking = stub.Chat(silent(), metadata=who, timeout=TIMEOUT)
        for call in (watching, talking):
            call.initial_metadata()
            stack.callback(call.cancel)


def test_servers_that_share_a_file_share_their_notes(issuer: LocalIssuer, tmp_path: Path) -> None:
    """What one transport writes another reads, and its watchers hear of it, across processes."""
    settings = {**environment(issuer), "BEARWARD_NOTES": str(tmp_path / "notes.sqlite")}
    token = issuer.mint(scope=SCOPES, sub="ada")
    with ExitStack() as stack:
        start = [stack.enter_context(Process(*command, "--port", "0", environment=settings)) for command in SERVERS]
        url = start[0].url()
        stubs = [ProtectedServiceStub(channel_to(stack, server.url())) for server in start[2:]]
        watching = stubs[0].WatchNotes(messages.WatchNotesRequest(), metadata=metadata(token), timeout=TIMEOUT)
        watching.initial_metadata()
        note = httpx2.post(f"{url}/notes", json={"text": "shared"}, headers=bearer(token), timeout=TIMEOUT).json()
        assert next(watching).id == note["id"]
        for stub in stubs:
            listed = stub.ListNotes(messages.ListNotesRequest(), metadata=metadata(token), timeout=TIMEOUT).notes
            assert [(n.id, n.text, n.author) for n in listed] == [(note["id"], "shared", "ada")]
        assert httpx2.get(f"{start[1].url()}/notes", headers=bearer(token), timeout=TIMEOUT).json() == [note]
        watching.cancel()


def test_workers_share_their_notes(issuer: LocalIssuer) -> None:
    """Whichever worker is asked, even if no file was configured."""
    headers = bearer(issuer.mint(scope=SCOPES))
    with Process("samples.http_server", "--port", "0", "--workers", "3", environment=environment(issuer)) as server:
        url = server.url()
        for count in range(1, 21):  # each call on its own connection, to any of the workers
            httpx2.post(f"{url}/notes", json={"text": "x"}, headers=headers, timeout=TIMEOUT).raise_for_status()
            assert len(httpx2.get(f"{url}/notes", headers=headers, timeout=TIMEOUT).json()) == count


def test_several_issuers_from_a_file(tmp_path: Path) -> None:
    """Each with its own audience and terms; an unknown issuer stays untrusted."""
    with LocalIssuer(audience="one") as first, LocalIssuer(audience="two", path="/t") as second:
        more = f"[[issuers]]\nissuer = '{second.url}'\naudience = 'two'\nalgorithms = ['RS256']\n"
        path = _config(tmp_path, first, more)
        for command in ONE_OF_EACH:
            with Process(*command, "--port", "0", environment={"BEARWARD_CONFIG": path}) as server:
                url = server.url()
                assert access(url, first.mint()) == access(url, second.mint()) == "Access granted"
                assert access(url, first.mint(aud="two")) == "audience_mismatch"
                assert access(url, first.mint(iss="http://127.0.0.1:1")) == "issuer_untrusted"


def test_rotated_key_is_found(issuer: LocalIssuer, tmp_path: Path) -> None:
    """A token by a new key is granted while the server runs; one by a withdrawn key is not any more."""
    with LocalIssuer() as own:
        path = _config(tmp_path, own)
        for command in ONE_OF_EACH:
            with Process(*command, "--port", "0", "--config", path) as server:
                url, first = server.url(), own.mint()
                assert access(url, first) == "Access granted"
                old = own.key()
                own.rotate()
                own.withdraw(old)
                until_heard(url, own.mint(), "Access granted")
                until_heard(url, first, "key_unknown")


def test_workers_stop_when_their_parent_is_killed(issuer: LocalIssuer) -> None:
    """Streams open or not: they give the port back to the server that is started next."""
    command = ("samples.http_server", "--workers", "2")
    with Process(*command, "--port", "0", environment=environment(issuer)) as server, ExitStack() as stack:
        url = server.url()
        _http_streams(stack, url, issuer.mint(scope=SCOPES))
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not _answers(url))
        with Process(*command, "--port", url.rpartition(":")[2], environment=environment(issuer)) as again:
            assert again.url() == url


def _answers(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", timeout=TIMEOUT)
    except httpx2.TransportError:
        return False
    return True
