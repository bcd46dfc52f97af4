"""No middleware of the user's can turn a refusal into an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.sanic.servers import Server


@pytest.mark.parametrize("path", ["/private", "/scoped", "/nope", "/admin/x", "/static/a.txt"])
@pytest.mark.parametrize("trick", ["x-cached", "x-replaced", "x-changed", "x-responded"])
def test_middleware_cannot_replace_a_refusal(crowded_server: Server, path: str, trick: str) -> None:
    """Middleware of any priority that responds, replaces or rewrites leaves the refusal as it is."""
    answer = crowded_server.call("GET", path, headers={trick: "1"})
    assert answer.status == 401
    assert answer.challenge == 'Bearer realm="api"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.problem["code"] == "credentials_missing"


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("GET /private HTTP/1.1\r\nHost: x\r\nno header\r\n", {400}),
        ("GET /private HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: secrets\r\n", {400, 401, 417}),
        ("GET /private HTTP/9.9\r\nHost: x\r\n", {400, 401, 505}),
    ],
)
def test_middleware_cannot_respond_to_an_unreadable_request(
    crowded_server: Server, head: str, statuses: set[int]
) -> None:
    """Of a request whose path could be read and no more, no middleware responds to that path."""
    with crowded_server.raw() as connection:
        connection.sendall(f"{head}\r\n".encode())
        answer = connection.recv(65536)
    assert int(answer.split(b" ")[1]) in statuses
    assert b"SECRET" not in answer


def test_middleware_cannot_respond_to_unknown_routes(serve: Any) -> None:
    """With `hide_unknown_routes=False` a 404 and a 405 are the truth, and not what a page cache has for that path."""
    running: Server = serve(settings={"hide_unknown_routes": False})
    for method, path, status in [("GET", "/nope", 404), ("POST", "/private", 405)]:
        answer = running.call(method, path, headers={"x-cached": "1"})
        assert answer.status == status
        assert b"SECRET" not in answer.body


def test_gate_stays_first_after_amend(serve: Any) -> None:
    """Sanic sorts middleware anew where routes are added; none of any priority comes before the gate."""
    running: Server = serve()
    assert running.call("POST", "/grow").status == 204
    assert running.call("GET", "/private", headers={"x-cached": "1"}).status == 401


def test_middleware_still_runs(crowded_server: Server) -> None:
    """Response middleware decorates a refusal, and does all it likes with what was admitted."""
    assert crowded_server.call("GET", "/private").headers["x-seen"] == "yes"
    token = crowded_server.mint()
    assert crowded_server.call("GET", "/private", token=token, headers={"x-cached": "1"}).body == b"SECRET"
    assert crowded_server.call("GET", "/private", token=token, headers={"x-replaced": "1"}).body == b"SECRET"


def test_refusal_carries_cors_headers(crowded_server: Server) -> None:
    """With sanic-ext's CORS a refused cross-origin request can be read by the page that made it."""
    answer = crowded_server.call("GET", "/private", headers={"Origin": "https://app.example"})
    assert answer.status == 401
    assert ("access-control-allow-origin" in answer.headers) is False  # no origin is allowed by default
