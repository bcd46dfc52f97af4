"""A revocation in one process reaches another's remembered tokens and live streams, over HTTP and over gRPC alike.

Rule of this file: the other process is a real one, the store a real server; what a client sees is all that counts.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bearward import SharedRevocations
from bearward.testing import SigningKey, json_octets, sign_segments
from tests.adapters.fleet_member import AUDIENCE, SERVICE
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey

pytestmark = pytest.mark.thorough

ISSUER, SECRET = "https://login.example", b"0123456789abcdef"
KEY = SigningKey.generate("ES256", kid="k")
WAIT = 30.0
"""Seconds; longer than anything here takes on a machine that is busy."""


class Member:
    """The other process, and what a caller with a token sees of it."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self._port = http_port
        self._channel: Any = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def health(self) -> str:
        """What the health page says of the revocations."""
        return str(json.loads(self._get("/health", None)[1])["revocations"])

    def over_http(self, token: str) -> str:
        """What a request gets: "accepted", or the status and the code of the refusal."""
        status, body = self._get("/now", token)
        return "accepted" if status == 200 else f"{status} {json.loads(body)['code']}"

    def over_grpc(self, token: str) -> str:
        """The same of a call."""
        try:
            self._channel.unary_unary(f"/{SERVICE}/Now")(b"", metadata=_metadata(token), timeout=WAIT)
        except grpc.RpcError as error:
            return _status(error)
        return "accepted"

    @contextlib.contextmanager
    def live(self, token: str) -> Iterator[dict[str, Callable[[], str]]]:
        """Three streams that have begun, each with a way to wait for how it ends."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT)
        connection.request("GET", "/events", headers=_headers(token))
        events = connection.getresponse()
        assert events.readline() == b"data: first\n"
        call = self._channel.unary_stream(f"/{SERVICE}/Events")(b"", metadata=_metadata(token), timeout=WAIT)
        assert next(call) == b"first"
        with connect(f"ws://127.0.0.1:{self._port}/chat", additional_headers=_headers(token)) as socket:
            assert socket.recv(WAIT) == "first"
            yield {"events": lambda: _last_event(events), "call": lambda: _end_of(call), "chat": lambda: _close(socket)}
        call.cancel()
        events.close()
        connection.close()

    def _get(self, path: str, token: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT)
        connection.request("GET", path, headers=_headers(token) if token else {})
        with connection.getresponse() as response:
            body = response.read()
        connection.close()
        return response.status, body


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _metadata(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def _status(error: Any) -> str:
    codes = [value for name, value in error.trailing_metadata() or () if name == "bearward-code"]
    return f"{error.code().name} {codes[0] if codes else error.details()}"


def _last_event(response: http.client.HTTPResponse) -> str:
    return response.read().decode().split("event: ")[-1].partition("\n")[0]


def _end_of(call: Any) -> str:
    try:
        list(call)
    except grpc.RpcError as error:
        return _status(error)
    return "ended"


def _close(socket: Any) -> str:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(WAIT)
    assert closed.value.rcvd is not None
    return f"{closed.value.rcvd.code} {closed.value.rcvd.reason}"


def _token(jti: str) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "jti": jti, "exp": time.time() + 600}
    return sign_segments(json_octets({"alg": "ES256", "kid": "k"}), json_octets(claims), KEY)


def _until(what: str, condition: Callable[[], bool]) -> None:
    """Poll: the members of a fleet notify each other, but not the test."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextlib.contextmanager
def _member(store: Valkey, on_failure: str) -> Iterator[Member]:
    options = {"cache": store.url, "secret": SECRET.decode(), "on_failure": on_failure, "issuer": ISSUER}
    command = [sys.executable, "-m", "tests.adapters.fleet_member"]
    process = subprocess.Popen(
        [*command, json.dumps({**options, "jwks": {"keys": [KEY.public_jwk()]}})],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    member = None
    try:
        ready = next(line for line in process.stdout if line.startswith("listening on "))
        member = Member(*map(int, ready.removeprefix("listening on ").split()))
        yield member
    finally:
        if member is not None:
            member.close()
        process.terminate()
        process.wait(WAIT)
        process.stdout.close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is up, and keeps nothing on disk."""
    with Valkey(tmp_path) as server:
        yield server


def test_revocation_reaches_remembered_tokens_and_live_streams_within_a_second(valkey: Valkey, run: Run) -> None:
    """From the call here to the end that the clients of another process see: events, a websocket, a call."""

    async def revoke(jti: str) -> None:
        here = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="accept")
        await here.start()
        here.revoke_token(ISSUER, jti, until=time.time() + 600)
        await here.flush()
        await here.aclose()

    def took(member: Member, jti: str) -> float:
        token = _token(jti)
        for _ in range(2):  # the second time from memory
            assert (member.over_http(token), member.over_grpc(token)) == ("accepted", "accepted")
        with member.live(token) as ends:
            began = time.monotonic()
            run(revoke(jti))
            assert ends["events"]() == "token_revoked"
            assert ends["call"]() == "UNAUTHENTICATED token_revoked"
            assert ends["chat"]() == "1008 token_revoked"
            seconds = time.monotonic() - began
        assert member.over_http(token) == "401 token_revoked"
        assert member.over_grpc(token) == "UNAUTHENTICATED token_revoked"
        return seconds

    with _member(valkey, "refuse") as member:
        seconds = [took(member, "t0")]
        while seconds[-1] >= 1.0 and len(seconds) < 20:  # other tests may have the machine's two cores at the moment
            seconds.append(took(member, f"t{len(seconds)}"))
        assert seconds[-1] < 1.0
        assert member.health() == f"{len(seconds)} entries, store: ok"


def test_on_failure_refuse_rejects_all(valkey: Valkey) -> None:
    """Closed: no token, remembered or not, and no live stream; the health says so; over when the store is back."""
    with _member(valkey, "refuse") as member:
        token = _token("t")
        assert member.over_http(token) == "accepted"
        with member.live(token) as ends:
            valkey.stop()
            assert ends["events"]() == "revocation_unavailable"
            assert ends["call"]() == "UNAVAILABLE revocation_unavailable"
            assert ends["chat"]().partition(" ")[2] == "revocation_unavailable"
        assert member.over_http(token) == member.over_http(_token("u")) == "503 revocation_unavailable"
        assert member.over_grpc(token) == member.over_grpc(_token("u")) == "UNAVAILABLE revocation_unavailable"
        assert "refusing all tokens" in member.health()
        valkey.start()
        _until("the recovery over HTTP", lambda: member.over_http(token) == "accepted")
        assert member.over_grpc(token) == "accepted"
        assert member.health() == "0 entries, store: ok"


def test_on_failure_accept_uses_known_revocations(valkey: Valkey) -> None:
    """Open: tokens and live streams go on; the health says so."""
    with _member(valkey, "accept") as member:
        token = _token("t")
        with member.live(token) as ends:
            valkey.stop()
            _until("the failure", lambda: "accepting what is not known to be revoked" in member.health())
            assert (member.over_http(token), member.over_grpc(token)) == ("accepted", "accepted")
            valkey.start()
            _until("the recovery", lambda: member.health() == "0 entries, store: ok")
            assert (member.over_http(token), member.over_grpc(token)) == ("accepted", "accepted")
        assert set(ends) == {"events", "call", "chat"}
