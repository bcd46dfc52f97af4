"""No middleware of the user's can turn a refusal into an answer."""

from __future__ import annotations

import pytest

from tests.adapters.sanic.servers import Server


@pytest.mark.parametrize("path", ["/private", "/scoped", "/nope", "/admin/x", "/static/a.txt"])
@pytest.mark.parametrize("trick", ["x-cached", "x-replaced", "x-changed"])
def test_a_refusal_stays_a_refusal(server: Server, path: str, trick: str) -> None:
    """Middleware of any priority that answers, replaces or rewrites leaves the refusal as it is."""
    answer = server.call("GET", path, headers={trick: "1"})
    assert answer.status == 401
    assert answer.challenge == 'Bearer realm="api"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.problem["code"] == "credentials_missing"


def test_middleware_still_runs(server: Server) -> None:
    """Response middleware decorates a refusal, and does all it likes with what was let in."""
    assert server.call("GET", "/private").headers["x-seen"] == "yes"
    token = server.mint()
    assert server.call("GET", "/private", token=token, headers={"x-cached": "1"}).body == b"SECRET"
    assert server.call("GET", "/private", token=token, headers={"x-replaced": "1"}).body == b"SECRET"


def test_cors_headers_stand_on_a_refusal(server: Server) -> None:
    """With sanic-ext's CORS a refused cross-origin request can be read by the page that made it."""
    answer = server.call("GET", "/private", headers={"Origin": "https://app.example"})
    assert answer.status == 401
    assert ("access-control-allow-origin" in answer.headers) is False  # no origin is allowed by default
