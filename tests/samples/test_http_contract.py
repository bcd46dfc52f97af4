"""The HTTP sample keeps its contract: names, statuses, bodies, who may, and how long."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bearward.testing import LocalIssuer
from tests.samples.conftest import SCOPES
from tests.samples.servers import bearer


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_public_routes_need_no_token(http_url: str, path: str) -> None:
    """Without a token, even with a bad one: 200 and JSON."""
    for headers in ({}, bearer("garbage")):
        answer = httpx2.get(http_url + path, headers=headers, timeout=30)
        assert answer.status_code == 200
        assert isinstance(answer.json(), dict)


PROTECTED = [
    ("GET", "/protected", None),
    ("GET", "/whoami", None),
    ("GET", "/notes", "notes:read"),
    ("POST", "/notes", "notes:write"),
    ("GET", "/notes/stream", "notes:read"),
    ("POST", "/notes/import", "notes:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_other_routes_need_a_token_and_its_scope(
    http_url: str, issuer: LocalIssuer, method: str, path: str, scope: str | None
) -> None:
    """No token: 401 with a challenge; the wrong scope: 403 that names the right one; never a traceback."""
    answer = httpx2.request(method, http_url + path, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if scope is not None:
        other = issuer.mint(scope="notes:write" if scope == "notes:read" else "notes:read")
        answer = httpx2.request(method, http_url + path, headers=bearer(other), timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_insufficient")
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]


def test_any_valid_token_gets_access_and_whoami(http_url: str, issuer: LocalIssuer) -> None:
    """The two responses of the contract."""
    headers = bearer(issuer.mint(sub="ada"))
    assert httpx2.get(f"{http_url}/protected", headers=headers).json() == {"message": "Access granted"}
    principal = httpx2.get(f"{http_url}/whoami", headers=headers).json()
    assert (principal["iss"], principal["sub"], principal["aud"]) == (issuer.url, "ada", issuer.audience)


@pytest.mark.parametrize("text", ["milk", "", "ä🐻\x00\n", "x" * 1_000_000], ids=["plain", "empty", "odd", "long"])
def test_note_round_trip(http: httpx2.Client, text: str) -> None:
    """201 and the note with id and author; the list has it too, unchanged."""
    answer = http.post("/notes", json={"text": text})
    assert answer.status_code == 201
    note = answer.json()
    assert note == {"id": note["id"], "text": text, "author": "ada"}
    assert note in http.get("/notes").json()


NO_NOTES = [
    b"",
    b"{",
    b"[]",
    b"1",
    b"{}",
    b'{"text": null}',
    b'{"text": 1}',
    b'{"text": "\\ud800"}',
    b"\xff",
    b"[" * 9999,
]


@pytest.mark.parametrize("body", NO_NOTES, ids=repr)
@pytest.mark.parametrize("path", ["/notes", "/notes/import"])
def test_invalid_notes_are_problem_json(http: httpx2.Client, path: str, body: bytes) -> None:
    """400, a code, and nothing stored; an import of nothing is an import of no notes."""
    before = http.get("/notes").json()
    answer = http.post(path, content=body)
    if (path, body) == ("/notes/import", b""):
        assert (answer.status_code, answer.json()) == (200, {"imported": 0})
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_note")
    assert http.get("/notes").json() == before


def test_oversized_text_is_refused(http: httpx2.Client) -> None:
    """More than a mebibyte of UTF-8 is no note."""
    assert http.post("/notes", json={"text": "x" * (1 << 20) + "y"}).json()["code"] == "invalid_note"


def test_import_is_streamed(http: httpx2.Client) -> None:
    """Lines may be cut anywhere, blank ones do not count, the last one needs no line feed; the response is their number."""

    def pieces() -> Iterator[bytes]:
        body = b"\n".join(json.dumps({"text": f"streamed {n}"}).encode() for n in range(50)) + b'\n\n{"text":""}'
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    answer = http.post("/notes/import", content=pieces())
    assert (answer.status_code, answer.json()) == (200, {"imported": 51})
    texts = [note["text"] for note in http.get("/notes").json()]
    assert texts[-51:] == [*(f"streamed {n}" for n in range(50)), ""]


def test_import_is_atomic(http: httpx2.Client) -> None:
    """A bad line at the end leaves nothing of the lines before it."""
    before = http.get("/notes").json()
    assert http.post("/notes/import", content=b'{"text":"a"}\n{"text":2}').status_code == 400
    assert http.get("/notes").json() == before


def test_import_is_bounded(http: httpx2.Client) -> None:
    """More than is held in memory, by size of a line or of all, is refused."""
    assert http.post("/notes/import", content=b"x" * 7_000_000).json()["code"] == "invalid_note"
    assert http.post("/notes/import", content=b'{"text":""}\n' * 300_000).json()["code"] == "invalid_note"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/notes", 405),
        ("GET", "/notes/ws", 426),
    ],
)
def test_404_is_problem_json(http: httpx2.Client, method: str, path: str, status: int) -> None:
    """Who was admitted and asks for what is not there gets JSON like every other refusal, and no line in the log."""
    answer = http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    if status == 405:
        assert sorted(answer.headers["allow"].split(", ")) == ["GET", "POST"]


def test_event_stream_sends_headers_at_once_and_then_each_note(http: httpx2.Client) -> None:
    """Server-sent events: nothing of the past, each note from now on, in order."""
    http.post("/notes", json={"text": "before"})
    with http.stream("GET", "/notes/stream") as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        written = [http.post("/notes", json={"text": text}).json() for text in ("one", "two\nlines")]
        assert _events(stream, 2) == written


def test_stream_ends_with_its_token(http_url: str, issuer: LocalIssuer) -> None:
    """Only while the token lives: after that there is an end, without a note in between."""
    headers = bearer(issuer.mint(scope="notes:read", expires_in=2))
    with httpx2.stream("GET", f"{http_url}/notes/stream", headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        rest = b"".join(stream.iter_bytes())
    assert b"data: {" not in rest


def test_websocket_echoes_stored_note(http_url: str, http: httpx2.Client, issuer: LocalIssuer) -> None:
    """The empty text too."""
    with connect(_ws(http_url), additional_headers=bearer(issuer.mint(scope=SCOPES, sub="ada"))) as socket:
        for text in ("hello", "", "ä"):
            socket.send(text)
            note = json.loads(socket.recv(timeout=30))
            assert (note["text"], note["author"]) == (text, "ada")
            assert note in http.get("/notes").json()
        socket.send(b"octets")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


def test_websocket_is_refused_at_the_handshake(http_url: str, issuer: LocalIssuer) -> None:
    """No token: 401; no scope: 403; both as the answer to the handshake."""
    for headers, status in (({}, 401), (bearer(issuer.mint(scope="notes:read")), 403)):
        with pytest.raises(InvalidStatus) as refused:
            connect(_ws(http_url), additional_headers=headers)
        assert refused.value.response.status_code == status


def test_websocket_ends_with_its_token(http_url: str, issuer: LocalIssuer) -> None:
    """Closed with 1008 when the token expires, even without traffic."""
    token = issuer.mint(scope="notes:write", expires_in=2)
    with connect(_ws(http_url), additional_headers=bearer(token)) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def _ws(url: str) -> str:
    return f"ws{url.removeprefix('http')}/notes/ws"


def _events(stream: httpx2.Response, count: int) -> list[object]:
    found: list[object] = []
    for line in stream.iter_lines():
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            return found
    raise AssertionError("the stream ended")
