"""Scans of the requests that are being served: what each finds, ends and forgets, one scan at a time."""

from __future__ import annotations

import contextlib
import gc
import http.client
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from bearward import TrustedIssuer, Verifier
from bearward.observers import Observers
from bearward.reporter import Reporter
from bearward_sanic.streams import LiveRequests
from tests.adapters.sanic.scanned import ISSUER, Scanned, response_of
from tests.adapters.sanic.servers import AUDIENCE


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scanned]:
    """Served while the test runs."""
    monkeypatch.setattr("bearward_sanic.streams._SCAN_INTERVAL", 3600)
    made = Scanned()
    with made.server:
        yield made
        made.go_on.set()
    made.issuer.close()


@pytest.mark.parametrize("path", ["/lines", "/upload"])
def test_next_request_of_a_connection_is_watched_alone(parts: Scanned, path: str) -> None:
    """What was tracked for the one before is forgotten: its token's end is nothing to the next one, whose own token ends it."""
    connection = parts.begin("/slow", "first")
    parts.scan()
    assert parts.verifier.live_streams == 1
    assert parts.finish(connection) == (200, b"done")
    parts.begin(path, "second", connection)
    parts.scan()
    assert parts.verifier.live_streams == 1
    parts.end("first")
    assert not parts.cancelled.is_set()
    parts.end("second")
    assert parts.cancelled.wait(10)
    status, body = parts.finish(connection)
    assert (status, b"token_revoked" in body) == ((200, False) if path == "/lines" else (401, True))
    connection.close()


def test_anonymous_request_of_a_tracked_connection_is_left_alone(parts: Scanned) -> None:
    """A public route has no caller whose token could end, whoever called on its connection before."""
    parts.go_on.set()
    connection = parts.begin("/slow", "one")
    assert parts.finish(connection) == (200, b"done")
    parts.begin("/open", None, connection)
    parts.scan()
    assert parts.verifier.live_streams == 0
    assert parts.finish(connection) == (200, b"done")
    connection.close()


def test_connection_that_is_remembered_after_it_was_tracked_is_tracked_anew(parts: Scanned) -> None:
    """Its token is recognized from the third request on; after a scan that found it idle, a stream on it ends in time."""
    token = parts.issuer.mint(jti="one")
    headers = {"Authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection("127.0.0.1", parts.server.port, timeout=30)
    parts.go_on.set()
    for _ in range(3):
        connection.request("GET", "/slow", headers=headers)
        assert response_of(connection) == (200, b"done")
    parts.scan()
    parts.go_on.clear()
    parts.began.clear()
    connection.request("GET", "/lines", headers=headers)
    assert parts.began.wait(30)
    parts.end("one")
    assert response_of(connection) == (200, b"line\n")
    assert parts.cancelled.wait(10)
    connection.close()


@pytest.mark.parametrize("names_caller", [True, False])
def test_stream_is_ended_and_told_once(parts: Scanned, *, names_caller: bool) -> None:
    """However many scans pass before its client has read the end; and cleanly, where its handler forgot whom it serves."""
    connection = parts.begin("/lines", "one")
    parts.scan()
    if not names_caller:
        parts.request.ctx.principal = None
    parts.revocations.revoke_token(ISSUER, "one", until=4e9)
    assert parts.scan(times=2) == 1
    assert response_of(connection) == (200, b"line\n")
    assert parts.cancelled.wait(10)
    assert parts.told() == ([("token_revoked", ISSUER, "/lines")] if names_caller else [])
    connection.close()


def test_upload_is_ended_once(parts: Scanned) -> None:
    """What its handler does when it is cancelled is not cancelled in turn, however long it takes."""
    connection = parts.begin("/upload", "one")
    parts.end("one")
    assert parts.cancelled.wait(10)
    parts.scan()
    status, body = parts.finish(connection)
    assert (status, b"token_revoked" in body) == (401, True)
    assert parts.cleaned_up.is_set()
    assert parts.told() == [("token_revoked", ISSUER, "/upload")]
    connection.close()


def test_upload_that_has_come_is_finished(parts: Scanned) -> None:
    """Once its body is complete it was granted as a whole, whatever becomes of the token."""
    connection = parts.begin("/upload", "one")
    parts.began.clear()
    connection.send(b"0\r\n\r\n")
    assert parts.began.wait(30)
    parts.end("one")
    assert parts.finish(connection) == (200, b"taken")
    assert not parts.cancelled.is_set()
    connection.close()


def test_stream_that_cannot_be_ended_cleanly_is_cancelled(parts: Scanned, caplog: pytest.LogCaptureFixture) -> None:
    """Code of the application broke its response: that is logged once, its handler is cancelled, and the others end."""
    broken, other = parts.begin("/lines", "one"), parts.begin("/lines", "two")
    parts.scan()
    parts.responses["one"].headers = None
    for token_id in ("one", "two"):
        parts.revocations.revoke_token(ISSUER, token_id, until=4e9)
    assert parts.scan(times=2) == 1
    assert response_of(other) == (200, b"line\n")
    assert parts.cancelled.wait(10)
    with contextlib.suppress(http.client.IncompleteRead):
        response_of(broken)
    bugs = [record.getMessage() for record in caplog.records if record.name == "bearward.sanic"]
    assert [bug.partition(" at ")[0] for bug in bugs] == ["the end of a request failed; it is cancelled: TypeError"]
    for connection in (broken, other):
        connection.close()


def test_answered_request_is_watched_no_more(parts: Scanned) -> None:
    """Not even while its connection still waits for a body that nobody wants."""
    token = parts.issuer.mint(jti="one")
    with parts.server.raw() as connection:
        head = f"GET /slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode())
        assert parts.began.wait(30)
        parts.scan()
        assert parts.verifier.live_streams == 1
        parts.go_on.set()
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        parts.scan()
        assert parts.verifier.live_streams == 0


def test_server_that_stops_watches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being served then has no end to wait for."""
    monkeypatch.setattr("bearward_sanic.streams._SCAN_INTERVAL", 3600)
    made = Scanned()
    with made.server:
        connection = made.begin("/slow", "one")
        made.scan()
        assert made.verifier.live_streams == 1
    assert made.verifier.live_streams == 0
    connection.close()
    made.issuer.close()


def test_server_that_ends_no_streams_stops_in_order() -> None:
    """With `stream_expiry="ignore"` nothing is scanned, and nothing of that is to be stopped."""
    made = Scanned(stream_expiry="ignore")
    with made.server:
        connection = made.begin("/slow", "one")
        assert made.finish(connection) == (200, b"done")
        connection.close()
    made.issuer.close()


def test_stopped_scans_are_held_by_nothing(run: Any) -> None:
    """A program that starts and stops a server again and again keeps nothing of the last time."""

    async def scenario() -> None:
        issuer = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks_uri=f"{ISSUER}/jwks")
        live = LiveRequests(Verifier(issuer), Reporter(Observers()), enabled=True)
        held = weakref.ref(live)
        live.start()
        live.stop()
        del live
        gc.collect()
        assert held() is None

    run(scenario())
