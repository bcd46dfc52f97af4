"""Where a token may be: exactly one, and only where that was opted into."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.sanic.servers import Answer, Server

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _code(answer: Answer) -> tuple[int, str | None]:
    return answer.status, None if answer.status < 400 else answer.problem["code"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bearer {}", (200, None)),
        ("BEARER  {}", (200, None)),
        ("{}", (401, "bearer_scheme_missing")),
        ("Token {}", (401, "bearer_scheme_missing")),
        ("Token abc", (401, "credentials_missing")),
        ("Basic dTpw", (401, "credentials_missing")),
        ("Bearer", (400, "credentials_malformed")),
        ("Bearer {0} {0}", (400, "credentials_malformed")),
        ("Bearer {},", (400, "credentials_malformed")),
        ("Bearer é", (400, "credentials_malformed")),
        ("Bearer " + "a" * 20_000, None),
    ],
)
def test_authorization_follows_rfc_6750_grammar(
    server: Server, value: str, expected: tuple[int, str | None] | None
) -> None:
    """The `Authorization` value is a bearer credential by RFC 6750, or it is refused."""
    answer = server.call("GET", "/private", headers={"Authorization": value.format(server.mint())})
    if expected is None:  # Sanic refuses a head of more than 16 KiB itself
        assert (
            _code(answer) == (401, "token_too_large")
            if answer.headers["cache-control"]
            else answer.status in (413, 431)
        )
    else:
        assert _code(answer) == expected


def test_repeated_authorization_is_rejected(server: Server) -> None:
    """The same token twice is one too many."""
    token = server.mint()
    head = f"GET /private HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"
    with server.raw() as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_only_the_authorization_header_is_read_by_default(server: Server) -> None:
    """Without opting in a token in query, form or cookie is none."""
    token = server.mint()
    assert server.call("GET", f"/private?access_token={token}").status == 401
    assert server.call("GET", "/private", headers={"Cookie": f"token={token}"}).status == 401
    assert server.call("POST", "/upload", body=f"access_token={token}", headers=FORM).status == 401


def test_token_in_the_query_is_one_credential(serve: Any) -> None:
    """With `query` the parameter is a credential like any other, never beside another."""
    running: Server = serve(settings={"query": True})
    token = running.mint()
    query = f"/private?x=1&access_token={token}"
    assert _code(running.call("GET", query)) == (200, None)
    assert _code(running.call("GET", query, token=token)) == (400, "credentials_repeated")
    assert _code(running.call("GET", f"{query}&access_token={token}")) == (400, "credentials_repeated")
    assert _code(running.call("GET", "/private?access_token=")) == (400, "credentials_malformed")
    assert _code(running.call("GET", "/private?access_token=nonsense")) == (401, "token_malformed")
    assert _code(running.call("GET", "/private?access%5Ftoken=nonsense")) == (401, "token_malformed")
    answer = running.call("GET", query)
    assert answer.headers["cache-control"] == "private"  # RFC 6750 section 2.3


@pytest.mark.parametrize("name", ["native", "uvicorn"])
def test_token_in_a_form_is_one_credential(serve: Any, name: str) -> None:
    """With `form` a short form-encoded body may hold the token, and the handler finds the rest of the form."""
    running: Server = serve(name, settings={"form": True})
    token = running.mint()
    body = f"access_token={token}&text=hello"
    answer = running.call("POST", "/upload", body=body, headers=FORM)
    assert _code(answer) == (200, None)
    assert answer.problem["form"] == "hello"
    for code, sent in [
        ((401, "credentials_missing"), "text=hello"),
        ((401, "token_malformed"), "access_token=nonsense"),
        ((400, "credentials_repeated"), f"{body}&access_token={token}"),
        ((400, "credentials_malformed"), f"access_token={'%41' * 2049}"),  # decoding each costs half a microsecond
        ((400, "credentials_malformed"), f"{body}{'&' * 1000}"),
        ((401, "credentials_missing"), f"{body}&more={'x' * 70_000}"),
    ]:
        assert _code(running.call("POST", "/upload", body=sent, headers=FORM)) == code
    assert _code(running.call("POST", "/upload", body=body, headers=FORM, token=token)) == (400, "credentials_repeated")
    assert _code(running.call("POST", "/upload", body=body)) == (401, "credentials_missing")
    assert _code(running.call("GET", "/private", headers=FORM)) == (401, "credentials_missing")


def test_cookie_needs_an_allowed_origin_to_write(serve: Any) -> None:
    """A cookie lets in to read; to change something the request shows an origin of ours."""
    running: Server = serve(cookie="origin")
    token = running.mint()
    cookie = {"Cookie": f"a=b; token={token}"}
    ours, others = {**cookie, "Origin": "https://app.example"}, {**cookie, "Origin": "https://evil.example"}
    assert _code(running.call("GET", "/private", headers=cookie)) == (200, None)
    assert _code(running.call("GET", "/private", headers=others)) == (200, None)
    assert _code(running.call("POST", "/upload", headers=ours)) == (200, None)
    assert _code(running.call("POST", "/upload", headers=cookie)) == (403, "csrf_check_failed")
    assert _code(running.call("POST", "/upload", headers=others)) == (403, "csrf_check_failed")
    assert _code(running.call("GET", "/private", headers=cookie, token=token)) == (400, "credentials_repeated")
    twice = {"Cookie": f"token={token}; token={token}"}
    assert _code(running.call("GET", "/private", headers=twice)) == (400, "credentials_repeated")


def test_double_submit_cookie(serve: Any) -> None:
    """By double submit the request repeats a second cookie in a header."""
    running: Server = serve(cookie="double_submit")
    secret = "s" * 32
    cookie = {"Cookie": f"token={running.mint()}; csrf={secret}"}
    assert _code(running.call("POST", "/upload", headers={**cookie, "X-CSRF-Token": secret})) == (200, None)
    for headers in (cookie, {**cookie, "X-CSRF-Token": "other" * 8}, {"Cookie": cookie["Cookie"].split(";")[0]}):
        assert _code(running.call("POST", "/upload", headers=headers)) == (403, "csrf_check_failed")
    short = {"Cookie": f"token={running.mint()}; csrf=x", "X-CSRF-Token": "x"}
    assert _code(running.call("POST", "/upload", headers=short)) == (403, "csrf_check_failed")


def test_websocket_with_a_cookie_needs_an_allowed_origin(serve: Any) -> None:
    """A page of somebody else's cannot open a websocket with our user's cookie."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect
    from websockets.typing import Origin

    running: Server = serve(cookie="origin")
    cookie = {"Cookie": f"token={running.mint()}"}
    url = f"ws://127.0.0.1:{running.port}/ws"
    with connect(url, additional_headers=cookie, origin=Origin("https://app.example")) as ws:
        ws.send("x")
        assert ws.recv(30) == "ada: x"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, additional_headers=cookie, origin=Origin("https://evil.example"))
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", ["native", "uvicorn", "hypercorn"])
def test_tokens_never_reach_a_log(serve: Any, name: str) -> None:
    """Whatever a client puts where, no log holds a token."""
    running: Server = serve(name, access_log=True, settings={"query": True})
    token = running.mint()
    running.call("GET", f"/private?access_token={token}&x=1")
    running.call("GET", f"/nope?x=1&access_token={token}")
    running.call("GET", f"/nope?access_token={token}", token=token)
    running.call("GET", "/private", token=token)
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{running.port}/ws?access_token={token}") as ws:
        ws.send("x")
        ws.recv(30)
    running.stop()
    log = running.log()
    assert "/private" in log
    assert token not in log
    assert token.rpartition(".")[2] not in log
