"""Streamed responses end when their token does, cleanly, on every server."""

from __future__ import annotations

import http.client
import time
from types import SimpleNamespace
from typing import Any

from bearward import TrustedIssuer, Verifier
from bearward.observers import Observers
from bearward.reporter import Reporter
from bearward_sanic.streams import _SCAN_INTERVAL, LiveRequests
from tests.adapters.sanic.servers import Server


def _stream(server: Server, path: str, lifetime: float = 1.0) -> tuple[http.client.HTTPConnection, float]:
    expires = time.time() + lifetime
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {server.mint(exp=expires)}"})
    return connection, expires


def test_event_stream_ends_with_an_error_event(slow_server: Server) -> None:
    """Server-sent events end by an event that says why, a last chunk, and a handler that can clean up."""
    connection, expires = _stream(slow_server, "/events")
    with connection.getresponse() as response:
        body = response.read()  # raises IncompleteRead where the last chunk is missing
    connection.close()
    assert response.status == 200
    assert time.time() < expires + 1 + 4
    assert b"data: tick" in body
    assert body.endswith(b"\n\nevent: token_expired\ndata: the token has expired\n\n")
    assert slow_server.call("GET", "/cleaned-up").body == b"true"


def test_stream_on_a_kept_connection_ends_with_its_token(slow_server: Server) -> None:
    """A connection that is known by its token, and was idle for a while, is watched like any other."""
    expires = time.time() + 2
    headers = {"Authorization": f"Bearer {slow_server.mint(exp=expires)}"}
    connection = http.client.HTTPConnection("127.0.0.1", slow_server.port, timeout=30)
    for path in ["/private"] * 4:
        connection.request("GET", path, headers=headers)
        assert connection.getresponse().read() == b"SECRET"
        time.sleep(_SCAN_INTERVAL)  # at most as often as requests are looked through
    connection.request("GET", "/events", headers=headers)
    with connection.getresponse() as response:
        assert response.read().endswith(b"event: token_expired\ndata: the token has expired\n\n")
    connection.close()


def test_stream_expiry_ignore_tracks_nothing() -> None:
    """With `stream_expiry="ignore"` no request is remembered, since nobody would look through them."""
    issuer = TrustedIssuer("https://login.example", audience="api", jwks_uri="https://login.example/jwks")
    live = LiveRequests(Verifier(issuer), Reporter(Observers()), enabled=False)
    request: Any = SimpleNamespace(stream=object())
    live.track(request)
    assert not live._tracked


def test_other_streams_end_with_their_last_chunk(slow_server: Server) -> None:
    """A stream of anything else gets its last chunk and nothing that is not its own."""
    connection, _ = _stream(slow_server, "/lines")
    with connection.getresponse() as response:
        assert response.read() == b"{}\n"
    connection.close()


def test_response_with_content_length_is_finished(slow_server: Server) -> None:
    """A response whose length was promised was granted as a whole, and is finished."""
    connection, _ = _stream(slow_server, "/promised", 0.5)
    with connection.getresponse() as response:
        assert response.read() == b"x" * 30
    connection.close()


def test_server_survives_ended_streams(slow_server: Server) -> None:
    """After all that the server serves, and the end of a stream was no error to anybody."""
    assert slow_server.call("GET", "/private", token=slow_server.mint()).status == 200
    if "oldest" not in str(slow_server.kind) or slow_server.kind.server == "native":
        # Under ASGI Sanic 23.12 logs an error after every streamed response, ended or not.
        assert "Traceback" not in slow_server.log()
