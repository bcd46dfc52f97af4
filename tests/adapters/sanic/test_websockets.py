"""Websockets on every server: refused before the 101, ended with the token, renewed in band."""

from __future__ import annotations

import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.adapters.sanic.servers import Server


def _connect(server: Server, path: str, token: str | None = None, **more: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, open_timeout=30, **more)


def _refused(server: Server, path: str, token: str | None = None, **more: Any) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as refused:
        _connect(server, path, token, **more)
    return refused.value


@pytest.mark.parametrize("path", ["/ws", "/ws-scoped", "/ws-chat", "/nope"])
def test_websocket_without_a_token_gives_401(server: Server, path: str) -> None:
    """Without a token the handshake is answered by a whole HTTP 401, and there is no 101."""
    response = _refused(server, path).response
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'
    assert b"credentials_missing" in (response.body or b"")


def test_insufficient_scope_is_an_http_403(server: Server) -> None:
    """A token without the scope is told so before the 101."""
    assert _refused(server, "/ws-scoped", server.mint(scope="other")).response.status_code == 403


@pytest.mark.parametrize("path", ["/ws", "/ws-scoped"])
def test_verified_caller_opens_a_websocket(server: Server, path: str) -> None:
    """With a token the handler knows who talks."""
    with _connect(server, path, server.mint("ada", scope="notes:write")) as ws:
        ws.send("hello")
        assert ws.recv(30) == "ada: hello"
        assert ws.subprotocol is None


def test_public_websocket_needs_no_token(server: Server) -> None:
    """A public websocket opens for anyone."""
    with _connect(server, "/ws-public") as ws:
        ws.send("hello")
        assert ws.recv(30) == "None: hello"


@pytest.mark.parametrize(
    ("path", "also", "answered"), [("/ws", [], "bearer"), ("/ws-chat", ["chat"], "chat"), ("/ws-chat", [], "bearer")]
)
def test_token_as_websocket_subprotocol(server: Server, path: str, also: list[Any], answered: str) -> None:
    """`Sec-WebSocket-Protocol: bearer, <token>` is a credential, and one offered protocol is answered."""
    with _connect(server, path, subprotocols=["bearer", server.mint("eve"), *also]) as ws:
        ws.send("hello")
        assert ws.recv(30) == "eve: hello"
        assert ws.subprotocol == answered


def test_websocket_takes_one_credential(server: Server) -> None:
    """A header and a subprotocol at once are 400; a bad or missing token as subprotocol is refused."""
    token = server.mint()
    assert _refused(server, "/ws", token, subprotocols=["bearer", token]).response.status_code == 400
    assert _refused(server, "/ws", subprotocols=["bearer", "nonsense"]).response.status_code == 401
    assert _refused(server, "/ws", subprotocols=["bearer"]).response.status_code == 400


@pytest.mark.parametrize("path", ["/ws", "/ws-silent"])
def test_websocket_closes_when_its_token_expires(slow_server: Server, path: str) -> None:
    """A socket is closed with 1008 within a second of the token's end, and the handler can clean up."""
    expires = time.time() + 1
    with _connect(slow_server, path, slow_server.mint(exp=expires)) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(30)
        late = time.time() - expires
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "token_expired")
        assert -0.1 < late < 1 + 4  # a second, and four for a busy machine
    if path == "/ws-silent":
        assert slow_server.call("GET", "/cleaned-up").body == b"true"


def test_websocket_reauthenticates_with_a_newer_token(slow_server: Server) -> None:
    """The handler may take a newer token over the socket: of the same caller, and good."""
    first = time.time() + 1
    with _connect(slow_server, "/ws-renewing", slow_server.mint("ada", exp=first)) as ws:
        for token, answer in [
            ("nonsense", "token_malformed"),
            (slow_server.mint("eve"), "claim_mismatch"),
            (slow_server.mint("ada", jti="two", exp=first + 1), "now two"),
        ]:
            ws.send(token)
            assert ws.recv(30) == answer
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(30)
        assert time.time() > first + 0.9
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["native", "uvicorn", "hypercorn"])
def test_accept_then_close_lets_a_browser_see_why(serve: Any, name: str) -> None:
    """With `websocket_refusal="close"` the handshake succeeds and the close says what was wrong."""
    running: Server = serve(name, settings={"websocket_refusal": "close"})
    for token, path, code, reason in [
        (None, "/ws", 4401, "credentials_missing"),
        (running.mint(scope="other"), "/ws-scoped", 4403, "scope_insufficient"),
    ]:
        with _connect(running, path, token) as ws, pytest.raises(ConnectionClosed) as closed:
            ws.recv(30)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
    with _connect(running, "/ws", subprotocols=["bearer", "nonsense"]) as ws:
        assert ws.subprotocol == "bearer"
    running.stop()
    assert "Traceback" not in running.log()


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["native", "uvicorn", "hypercorn"])
def test_close_waits_for_the_peers_close_frame(serve: Any, name: str) -> None:
    """The connection stays until the client has closed, too; a browser that still writes would miss the code."""
    running: Server = serve(name, settings={"websocket_refusal": "close"})
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    with running.raw() as connection:
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n".encode()
        )
        received = b""
        while b"credentials_missing" not in received:
            received += connection.recv(65536)
        connection.sendall(b"\x81\x85\0\0\0\0hello")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
        connection.sendall(b"\x88\x80\0\0\0\0")
        assert connection.recv(1) == b""
