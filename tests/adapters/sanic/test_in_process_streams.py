"""Streams from within: which requests are tracked, and what ends them."""

from __future__ import annotations

import asyncio
import gc
import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import ResponseStream, text

from bearward import Revocations, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

ISSUER = "https://login.example"


class Parts:
    """A server whose handlers wait until a test lets them go on."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)
        self.revocations = Revocations()
        policy = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        self.app = make_app("streams")
        self.cancelled = threading.Event()
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.task: asyncio.Task[Any] | None = None
        self._add_routes()
        self.verifier = Verifier(policy, revocations=self.revocations)
        self.guard = install(self.app, self.verifier)
        self.server = Serving(self.app)

    def revoke(self, token_id: str) -> None:
        """End a token."""
        self.revocations.revoke_token(ISSUER, token_id, until=4e9)

    def begin(
        self, path: str, token_id: str, connection: http.client.HTTPConnection | None = None, *, method: str = "GET"
    ) -> Any:
        """A request on a connection, whose response is read later."""
        kept = connection or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        kept.request(method, path, headers={"Authorization": f"Bearer {self.issuer.mint(jti=token_id)}"})
        return kept

    async def _wait(self) -> None:
        self.began.set()
        try:
            while not self.go_on.is_set():  # noqa: ASYNC110  (set by the test's thread)
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _add_routes(self) -> None:
        @self.app.get("/slow")  # type: ignore[untyped-decorator,unused-ignore]
        @authenticated
        async def slow(request: Request) -> HTTPResponse:
            await self._wait()
            return text("done")

        @self.app.get("/lines")  # type: ignore[untyped-decorator,unused-ignore]
        @authenticated
        async def lines(request: Request) -> None:
            response = await request.respond(content_type="text/plain")
            await response.send("line\n")
            await self._wait()

        @self.app.post("/streamed", stream=True)  # type: ignore[untyped-decorator,unused-ignore]
        @authenticated
        async def streamed(request: Request) -> ResponseStream:
            async def write(response: Any) -> None:
                self.task = asyncio.current_task()
                await response.write("line\n")
                await self._wait()

            return ResponseStream(write, content_type="text/plain")

        @self.app.get("/promised")  # type: ignore[untyped-decorator,unused-ignore]
        @authenticated
        async def promised(request: Request) -> None:
            response = await request.respond(headers={"content-length": "8"}, content_type="text/plain")
            await response.send("four")
            await self._wait()
            await response.send("more")


@pytest.fixture
def parts() -> Iterator[Parts]:
    """Served while the test runs."""
    made = Parts()
    with made.server:
        yield made
        made.go_on.set()
    made.issuer.close()


def test_stream_ends_when_its_token_is_revoked(parts: Parts) -> None:
    """A response of open length gets its last chunk, and its handler is cancelled."""
    connection = parts.begin("/lines", "one")
    response = connection.getresponse()
    parts.revoke("one")
    assert response.read() == b"line\n"
    assert parts.cancelled.wait(10)
    connection.close()


def test_end_of_a_stream_leaves_nothing_behind(parts: Parts) -> None:
    """Neither the task that sent the last chunk, nor a watch over the connection, which stays open."""
    connection = parts.begin("/lines", "one")
    response = connection.getresponse()
    parts.revoke("one")
    response.read()
    while any(_ends_a_stream(held) for held in gc.get_objects()):  # a leak is found by the test's time limit
        gc.collect()
    connection.close()


def _ends_a_stream(held: object) -> bool:
    return type(held) is asyncio.Task and held.get_name() == "bearward: end of a stream"


def test_request_that_is_served_is_watched_no_more(parts: Parts) -> None:
    """Its connection serves the next one, and has nothing under way until then that could end."""
    connection = parts.begin("/slow", "one")
    while parts.verifier.live_streams == 0:
        time.sleep(0.02)  # until a scan
    parts.go_on.set()
    assert connection.getresponse().read() == b"done"
    while parts.verifier.live_streams:
        time.sleep(0.02)  # until the next one; a watch that stays is found by the test's time limit
    assert parts.begin("/slow", "two", connection).getresponse().read() == b"done"
    connection.close()


def test_stream_that_somebody_else_cancels_is_not_complete(parts: Parts) -> None:
    """A server that stops, say: the client sees that the end is missing."""
    connection = parts.begin("/streamed", "one", method="POST")
    response = connection.getresponse()
    assert parts.began.wait(10)
    assert parts.task is not None
    parts.task.get_loop().call_soon_threadsafe(parts.task.cancel)
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    assert parts.cancelled.is_set()
    connection.close()


@pytest.mark.parametrize(("path", "body"), [("/promised", b"fourmore"), ("/slow", b"done")])
def test_buffered_response_is_finished(parts: Parts, path: str, body: bytes) -> None:
    """A response that was promised a length, and one that has not begun, are left alone."""
    connection = parts.begin(path, "one")
    assert parts.began.wait(10)
    parts.revoke("one")
    time.sleep(0.6)  # three scans, each of which would end it
    assert not parts.cancelled.is_set()
    parts.go_on.set()
    assert connection.getresponse().read() == body
    connection.close()


def test_each_request_of_a_connection_ends_with_its_own_token(parts: Parts) -> None:
    """A connection that was tracked for one token is watched for the next one's, and only for that."""
    parts.go_on.set()
    connection = parts.begin("/slow", "first")
    assert connection.getresponse().read() == b"done"
    parts.go_on.clear()
    parts.begin("/lines", "second", connection)
    response = connection.getresponse()
    parts.began.wait(10)
    parts.revoke("first")
    time.sleep(0.6)
    assert not parts.cancelled.is_set()
    parts.revoke("second")
    assert response.read() == b"line\n"
    connection.close()


def test_remembered_connection_is_tracked_again_after_idling(parts: Parts) -> None:
    """Between two scans a connection is tracked once; a request that comes after it was idle is tracked anew."""
    token = parts.issuer.mint(jti="one")
    connection = http.client.HTTPConnection("127.0.0.1", parts.server.port, timeout=30)
    parts.go_on.set()
    for _ in range(4):
        connection.request("GET", "/slow", headers={"Authorization": f"Bearer {token}"})
        assert connection.getresponse().read() == b"done"
        time.sleep(0.5)
    parts.go_on.clear()
    connection.request("GET", "/lines", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    parts.revoke("one")
    assert response.read() == b"line\n"
    connection.close()


def test_unread_body_does_not_end_the_call(parts: Parts) -> None:
    """A GET whose body is ignored was granted as a whole: it is no upload, and is finished."""
    token = parts.issuer.mint(jti="one")
    with parts.server.raw() as connection:
        head = f"GET /slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode())
        assert parts.began.wait(10)
        parts.revoke("one")
        time.sleep(0.6)  # three scans, each of which would end it
        assert not parts.cancelled.is_set()
        parts.go_on.set()
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
