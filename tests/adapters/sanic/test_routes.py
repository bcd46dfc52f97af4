"""Every route and method, with and without a token: no response without one except where the table says so."""

from __future__ import annotations

import pytest

from tests.adapters.sanic.servers import Server

PUBLIC = [
    ("GET", "/public"),
    ("GET", "/optional"),
    ("GET", "/ctx-public"),
    ("GET", "/admin/open"),
    ("GET", "/opened/y"),
    ("GET", "/view"),
    ("GET", "/cleaned-up"),
]

GUARDED = [  # (method, path, scopes that let in)
    ("GET", "/private", ""),
    ("GET", "/whoami", ""),
    ("GET", "/scoped", "notes:read"),
    ("PUT", "/ctx", "notes:write"),
    ("POST", "/upload", ""),
    ("POST", "/upload-stream", ""),
    ("GET", "/catch/a/b", ""),
    ("GET", "/catch//a", ""),
    ("GET", "/decorated", "notes:read"),
    ("GET", "/admin/x", "admin"),
    ("GET", "/copied/x", "admin"),
    ("GET", "/opened/z", "notes:read"),
    ("GET", "/v3/outer/inner/deep/v", ""),
    ("POST", "/view", ""),
    ("DELETE", "/view", "notes:write"),
    ("GET", "/marked-view", "notes:write"),
    ("GET", "/static/a.txt", ""),
    ("GET", "/single", ""),
    ("GET", "/options", ""),
    ("OPTIONS", "/options", ""),
]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATHS = sorted(
    {path for _, path in PUBLIC}
    | {path for _, path, _ in GUARDED}
    | {"/nope", "/docs", "/docs/openapi.json", "/ws", "/events"}
)
OPEN = {*PUBLIC, *(("HEAD", path) for method, path in PUBLIC if method == "GET")}


@pytest.mark.parametrize(("method", "path"), PUBLIC)
def test_public_routes_respond_to_anyone(server: Server, method: str, path: str) -> None:
    """What is marked public (or optional) responds without a token."""
    assert server.call(method, path).status == 200


@pytest.mark.parametrize("path", PATHS)
def test_only_public_routes_respond_without_a_token(server: Server, path: str) -> None:
    """No method of no path gives a 2xx without a token, unless the table of public routes has it."""
    for method in METHODS:
        answer = server.call(method, path)
        if (method, path) in OPEN or (method == "OPTIONS" and ("GET", path) in OPEN):
            continue  # an automatic OPTIONS beside a public route tells nothing that the route does not
        assert answer.status == 401, (method, path)
        assert answer.challenge == 'Bearer realm="api"', (method, path)
        assert b"SECRET" not in answer.body


@pytest.mark.parametrize(("method", "path", "scopes"), GUARDED)
def test_guarded_routes_respond_to_a_good_token(server: Server, method: str, path: str, scopes: str) -> None:
    """With what it asks for a guarded route responds, and a token without that gets 403."""
    good = server.mint(scope=scopes, tier="gold")
    assert server.call(method, path, token=good).status == 200
    assert server.call(method, path).status == 401
    if scopes:
        answer = server.call(method, path, token=server.mint(scope="other", tier="gold"))
        assert answer.status == 403
        assert answer.problem["code"] == "scope_insufficient"
        assert 'error="insufficient_scope"' in (answer.challenge or "")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "OPTIONS"])
def test_anonymous_caller_cannot_tell_which_routes_exist(server: Server, method: str) -> None:
    """An existing route, a missing one and a method that is not allowed give an anonymous caller the same answer."""
    answers = [server.call(method, path) for path in ("/private", "/nope", "/upload")]
    seen = {(a.status, a.body, a.challenge, tuple(sorted(name.lower() for name in a.headers))) for a in answers}
    assert len(seen) == 1
    assert answers[0].status == 401


def test_verified_callers_see_404_and_405(server: Server) -> None:
    """A verified caller sees 404 and 405."""
    token = server.mint()
    assert server.call("GET", "/nope", token=token).status == 404
    assert server.call("PATCH", "/private", token=token).status == 405
    assert server.call("GET", "/nope", token="nonsense").status == 401


def test_generated_head_follows_get(server: Server) -> None:
    """A HEAD that sanic-ext adds is as guarded as its GET; without sanic-ext there is none."""
    assert server.call("HEAD", "/scoped").status == 401
    token = server.mint(scope="other")
    assert server.call("HEAD", "/scoped", token=token).status == (403 if server.kind.ext else 405)
    good = server.mint(scope="notes:read", tier="gold")
    assert server.call("HEAD", "/scoped", token=good).status == (200 if server.kind.ext else 405)
    assert server.call("HEAD", "/admin/x", token=token).status == (403 if server.kind.ext else 405)


def test_cors_preflight_passes(server: Server) -> None:
    """A CORS preflight, which carries no credentials, passes where something responds to preflights."""
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert server.call("OPTIONS", "/private", headers=headers).status == (204 if server.kind.ext else 401)
    assert server.call("OPTIONS", "/options", headers=headers).status == 401  # written by the user: guarded


def test_unanswered_preflight_reveals_no_route(server: Server) -> None:
    """Where nothing responds to preflights, an anonymous caller learns by none whether there is a route."""
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    paths = ("/nope", "/also/not") if server.kind.ext else ("/nope", "/private", "/public", "/upload")
    answers = [server.call("OPTIONS", path, headers=headers) for path in paths]
    assert {(answer.status, answer.body, answer.challenge) for answer in answers} == {
        (401, answers[0].body, 'Bearer realm="api"')
    }


def test_optional_route_refuses_an_invalid_token(server: Server) -> None:
    """Optional means none or a good one; the principal is None or the caller."""
    assert server.call("GET", "/optional").problem == {"subject": None}
    assert server.call("GET", "/optional", token=server.mint("eve")).problem == {"subject": "eve"}
    assert server.call("GET", "/optional", token="nonsense").status == 401


def test_step_up_names_what_is_missing(server: Server) -> None:
    """A token of an old or weak login gets 401 with what RFC 9470 says."""
    answer = server.call("GET", "/step-up", token=server.mint(acr="pwd", auth_time=1))
    assert answer.status == 401
    for part in ('error="insufficient_user_authentication"', 'acr_values="mfa"', 'max_age="60"'):
        assert part in (answer.challenge or "")


def test_auth_error_from_a_handler_is_rendered(server: Server) -> None:
    """An `AuthError` that a handler raises becomes the same kind of answer."""
    answer = server.call("GET", "/raises", token=server.mint())
    assert (answer.status, answer.problem["code"]) == (403, "scope_insufficient")
    assert 'scope="notes:admin"' in (answer.challenge or "")
