"""A request whose body is still coming ends with its token, as a client stream over gRPC does."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import pytest

from bearward.testing import LocalIssuer
from tests.adapters.sanic.servers import Server

LIFETIME = 1.5


def _begin(server: Server, path: str, token: str) -> socket.socket:
    """A chunked upload of which one chunk has come."""
    connection = server.raw()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head.encode() + b"4\r\nfour\r\n")
    return connection


def _response(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while b"\r\n\r\n" not in received or b"}" not in received:
        more = connection.recv(65536)
        if not more:
            break
        received += more
    status = int(received.split(b" ", 2)[1])
    return status, received.partition(b"\r\n\r\n")[2]


def _is_closed_to_more(connection: socket.socket) -> bool:
    """Whether the server reads no megabyte of what it has refused."""
    try:
        for _ in range(32):
            connection.sendall(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        return not connection.recv(1)
    except ConnectionError:
        return True


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/upload", "/upload-stream", "/upload-ignored"])
def test_upload_ends_when_its_token_expires(slow_server: Server, path: str) -> None:
    """Within a second of the token's end an unfinished upload is refused by 401, and nothing of it is taken."""
    expires = time.time() + LIFETIME
    with _begin(slow_server, path, slow_server.mint(exp=expires)) as connection:
        status, body = _response(connection)
        late = time.time() - expires
    assert (status, b"token_expired" in body) == (401, True)
    assert -0.1 < late < 1 + 4  # a second, and four for a busy machine
    assert slow_server.call("GET", "/private", token=slow_server.mint()).status == 200


@pytest.mark.parametrize("path", ["/upload", "/upload-stream", "/upload-ignored"])
def test_upload_that_is_complete_is_finished(slow_server: Server, path: str) -> None:
    """A body that came within the token's life is taken as a whole."""
    with _begin(slow_server, path, slow_server.mint(exp=time.time() + 60)) as connection:
        connection.sendall(b"4\r\nmore\r\n0\r\n\r\n")
        status, body = _response(connection)
    assert (status, b"8" in body) == (200, True)


@pytest.mark.thorough
def test_upload_whose_handler_takes_no_notice_is_refused(slow_server: Server) -> None:
    """A handler that continues after it was cancelled does not turn the end into a success."""
    expires = time.time() + LIFETIME
    with _begin(slow_server, "/upload-stubborn", slow_server.mint(exp=expires)) as connection:
        status, body = _response(connection)
    assert (status, b"token_expired" in body) == (401, True)


def test_revocation_ends_an_upload(issuer: LocalIssuer) -> None:
    """A token that is revoked while its upload is coming ends it, before anything expires; nobody reads the rest."""
    from sanic import HTTPResponse, Request
    from sanic.response import text

    from bearward import Revocations, TrustedIssuer, Verifier
    from bearward_sanic import authenticated, install
    from tests.adapters.sanic.in_process import Serving, make_app
    from tests.adapters.sanic.servers import AUDIENCE

    app, revocations, events = make_app("uploads"), Revocations(), asyncio.Queue[str]()

    @app.post("/x", stream=True)  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def upload(request: Request) -> HTTPResponse:
        stream: Any = request.stream
        try:
            async for _ in stream:
                revocations.revoke_token(issuer.url, "one", until=4e9)
        finally:
            events.put_nowait("cleaned up")
        return text("taken")

    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    install(app, Verifier(policy, revocations=revocations))
    with Serving(app) as server, _begin(server, "/x", issuer.mint(jti="one")) as connection:  # type: ignore[arg-type]
        status, body = _response(connection)
        assert _is_closed_to_more(connection)
    assert (status, json.loads(body)["code"]) == (401, "token_revoked")
    assert events.get_nowait() == "cleaned up"


@pytest.mark.thorough
def test_stream_expiry_ignore_lets_uploads_go_on(serve: Any) -> None:
    """With `stream_expiry="ignore"` an upload is judged when it begins, and not again."""
    running: Server = serve(settings={"stream_expiry": "ignore"})
    for path in ("/upload", "/upload-stream"):
        expires = time.time() + 1
        with _begin(running, path, running.mint(exp=expires)) as connection:
            time.sleep(max(0.0, expires + 0.3 - time.time()))  # the token's end is a moment of the clock
            connection.sendall(b"0\r\n\r\n")
            assert _response(connection)[0] == 200


@pytest.mark.thorough
def test_stream_leeway_lets_uploads_go_on_for_a_while(serve: Any) -> None:
    """`stream_leeway` is granted to an upload beyond its token's end, and no more."""
    running: Server = serve(settings={"stream_leeway": 1.5})
    expires = time.time() + 1
    with _begin(running, "/upload-stream", running.mint(exp=expires)) as connection:
        status, body = _response(connection)
        late = time.time() - expires
    assert (status, b"token_expired" in body) == (401, True)
    assert 1.4 < late < 1.5 + 1 + 4
