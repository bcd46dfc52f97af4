"""The end of a websocket from within: what is cancelled, closed, waited for and told, and when."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import Request
from websockets.sync.client import connect

from bearward import AuthError, Revocations, TrustedIssuer, Verifier
from bearward.events import Event, Refused, StreamEnded, Verified, only
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, reauthenticate
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

ISSUER = "https://login.example"
CLOSE = b"\x88\x80\0\0\0\0"
"""A client's close frame, without a code."""


class Parts:
    """A server with two sockets: one whose handler is silent, one that takes newer tokens."""

    def __init__(self, **settings: Any) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)
        self.revocations = Revocations()
        self.heard: list[Event] = []
        self.began, self.cancelled, self.returned = (threading.Event() for _ in range(3))
        self.app = make_app("ends")
        self.app.add_websocket_route(self._silent, "/silent", name="silent", ctx_auth=authenticated)
        self.app.add_websocket_route(_renewing, "/renewing", name="renewing", ctx_auth=authenticated)
        self.app.add_signal(self._returned, "websocket.handler.after")
        policy = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        observers = [only(self.heard.append, Verified, Refused, StreamEnded)]
        self.verifier = Verifier(policy, revocations=self.revocations, observers=observers)
        install(self.app, self.verifier, **settings)
        self.server = Serving(self.app)

    def revoke(self, token_id: str) -> None:
        """End a token."""
        self.revocations.revoke_token(ISSUER, token_id, until=4e9)

    def open_silent(self) -> socket.socket:
        """The silent socket of a client that answers no close frame by itself; its token is `one`."""
        connection = self.server.raw()
        connection.settimeout(10)
        connection.sendall(
            b"GET /silent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            + f"Authorization: Bearer {self.issuer.mint(jti='one')}\r\n\r\n".encode()
        )
        assert self.began.wait(10)
        return connection

    def end_silent(self) -> socket.socket:
        """The same, once its token was revoked and the server has sent its close frame."""
        connection = self.open_silent()
        self.revoke("one")
        received = b""
        while b"token_revoked" not in received:
            received += connection.recv(65536)
        self.turn()
        return connection

    def turn(self) -> None:
        """Have the server do what it can do now."""

        async def turn() -> None:
            for _ in range(20):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(turn(), self.server._loop).result(10)

    async def _silent(self, request: Request, ws: Any) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _returned(self, **_: Any) -> None:
        self.returned.set()


async def _renewing(request: Request, ws: Any) -> None:
    while (message := await ws.recv()) is not None:
        try:
            principal = await reauthenticate(request, message)
        except AuthError as error:
            await ws.send(error.code)
        else:
            await ws.send(f"now {principal.token_id}")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """Served while the test runs; its close waits for the client for as long as it takes."""
    monkeypatch.setattr("bearward_sanic.websockets._CLOSE_TIMEOUT", 3600)
    made = Parts()
    with made.server:
        yield made
    made.issuer.close()


def test_handler_of_an_ended_socket_is_cancelled(parts: Parts) -> None:
    """One that waits for something else than a message, too; and the end is told, with its route."""
    with parts.end_silent():
        assert parts.cancelled.wait(10)
    ended = [event for event in parts.heard if isinstance(event, StreamEnded)]
    assert [(event.code, event.issuer, event.operation) for event in ended] == [("token_revoked", ISSUER, "/silent")]


def test_ended_socket_stays_until_its_client_has_closed_it_too(parts: Parts) -> None:
    """Until then the connection is there, and its handler has not returned; then it is dropped (RFC 6455 section 7.1.1)."""
    with parts.end_silent() as connection:
        assert parts.cancelled.wait(10)
        assert not parts.returned.is_set()
        connection.sendall(CLOSE)
        assert connection.recv(1) == b""


def test_client_that_never_closes_is_waited_for_a_while(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the handler has returned, in order, and the connection is dropped."""
    monkeypatch.setattr("bearward_sanic.websockets._CLOSE_TIMEOUT", 0.01)
    with parts.end_silent() as connection:
        assert parts.returned.wait(10)
        assert connection.recv(1) == b""


def test_handler_that_somebody_else_cancels_stays_cancelled(parts: Parts) -> None:
    """A server that stops, say: that is no orderly end of ours, and nobody is told that the handler returned."""
    with parts.open_silent() as connection:
        for task in parts.app.websocket_tasks:
            parts.server._loop.call_soon_threadsafe(task.cancel)
        while connection.recv(65536):
            pass
    assert parts.cancelled.is_set()
    assert not parts.returned.is_set()


def test_socket_outlives_its_token_where_ends_are_ignored() -> None:
    """With `stream_expiry="ignore"` nothing watches over it, and it takes newer tokens as any other does."""
    parts = Parts(stream_expiry="ignore")
    with parts.server:
        headers = {"Authorization": f"Bearer {parts.issuer.mint(jti='one')}"}
        with connect(f"ws://127.0.0.1:{parts.server.port}/renewing", additional_headers=headers) as ws:
            for said, token in (
                ("now two", parts.issuer.mint(jti="two")),
                ("token_malformed", "nonsense"),
                ("now three", parts.issuer.mint(jti="three")),
            ):
                ws.send(token)
                assert ws.recv(30) == said
                assert parts.verifier.live_streams == 0
                parts.revoke("two")
    parts.issuer.close()


def test_each_reauthentication_is_told_once(parts: Parts) -> None:
    """As a decision about the socket's route: the handshake, what was refused, and what went on."""
    headers = {"Authorization": f"Bearer {parts.issuer.mint()}"}
    with connect(f"ws://127.0.0.1:{parts.server.port}/renewing", additional_headers=headers) as ws:
        for said, token in (("token_malformed", "nonsense"), ("now two", parts.issuer.mint(jti="two"))):
            ws.send(token)
            assert ws.recv(30) == said
    told = [(event.code if isinstance(event, Refused) else "verified") for event in parts.heard]
    assert told == ["verified", "token_malformed", "verified"]
    decided = [event for event in parts.heard if isinstance(event, Refused | Verified)]
    assert {event.operation for event in decided} == {"/renewing"}
    assert all(event.correlation_id for event in decided)
