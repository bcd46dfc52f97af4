"""A refused body is not read: one response, at once, and the client is not asked for more."""

from __future__ import annotations

import json
import socket

import pytest

from tests.adapters.sanic.servers import Server

GIGABYTE = 1_000_000_000
HEADS = {
    "declared": f"Content-Length: {GIGABYTE}\r\n",
    "chunked": "Transfer-Encoding: chunked\r\n",
    "expecting": f"Content-Length: {GIGABYTE}\r\nExpect: 100-continue\r\n",
    "expecting_chunked": "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
}


def _read_to_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def _head(received: bytes) -> bytes:
    return received.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("path", ["/upload", "/upload-stream", "/nope"])
@pytest.mark.parametrize("head", HEADS)
def test_refusal_is_sent_before_the_body_is_read(server: Server, head: str, path: str) -> None:
    """Of an upload that never comes, one 401 with one status line is the whole conversation."""
    with server.raw() as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{HEADS[head]}\r\n".encode())
        received = connection.recv(65536)
        if server.kind.server == "hypercorn" and received.startswith(b"HTTP/1.1 100 "):
            # Hypercorn says that itself, before it calls the application: see docs/sanic.md.
            received = received.partition(b"\r\n\r\n")[2] or connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 401 ")
        assert received.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in _head(received).lower()


@pytest.mark.parametrize("head", ["declared", "chunked"])
def test_refused_body_is_read_up_to_a_bound(server: Server, head: str) -> None:
    """A client that goes on sending is cut off after what the socket's buffers take, not after 100 MB."""
    block = b"x" * 65536
    sent = 0
    with server.raw() as connection:
        connection.sendall(f"POST /upload HTTP/1.1\r\nHost: x\r\n{HEADS[head]}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        try:
            while sent < 64 * 1024 * 1024:
                connection.sendall(b"10000\r\n" + block + b"\r\n" if head == "chunked" else block)
                sent += len(block)
        except OSError:
            pass
    assert sent < 16 * 1024 * 1024


def test_connection_survives_a_short_refused_body(server: Server) -> None:
    """After a refused body of at most 64 KiB the connection is kept (natively; elsewhere the server decides)."""
    body = b"x" * 1000
    good = server.mint()
    with server.raw() as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        if server.kind.server != "native":
            return
        connection.sendall(f"GET /private HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {good}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/upload", "/upload-stream"])
@pytest.mark.parametrize("chunked", [False, True])
def test_granted_body_is_read_whole(server: Server, path: str, chunked: bool) -> None:
    """What is admitted finds its body, whole or chunked, also from a client that waits for 100 Continue."""
    body = b"text=" + b"x" * 300_000
    token = server.mint()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = (body[i : i + 1000] for i in range(0, len(body), 1000)) if chunked else body
    answer = server.call("POST", path, token=token, body=sent, headers=headers)
    assert answer.status == 200
    assert json.loads(answer.body)["length"] == len(body)


def test_client_that_waits_gets_100_continue(server: Server) -> None:
    """`Expect: 100-continue` with a good token is answered by 100 and then by the answer."""
    token = server.mint()
    with server.raw() as connection:
        connection.sendall(
            f"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 5\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert b"HTTP/1.1 200 " in _read_to_end(connection)


def test_sanic_body_limit_holds_behind_the_gate(serve: object) -> None:
    """Sanic's own limit holds behind the gate."""
    running: Server = serve("native", config={"REQUEST_MAX_SIZE": 1000})  # type: ignore[operator]
    assert running.call("POST", "/upload", token=running.mint(), body=b"x" * 2000).status == 413
    assert running.call("POST", "/upload", token=running.mint(), body=b"x" * 999).status == 200
    assert running.call("POST", "/upload-stream", token=running.mint(), body=b"x" * 2000).status == 200
