"""A rule without a gate opens nothing: applications that nobody guards, and marks that a decorator lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from sanic import Blueprint, Request
from sanic.response import text
from sanic.views import HTTPMethodView

from bearward import AuthError, Refusal, TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, optional, public, requires
from tests.adapters.sanic.in_process import Serving, make_app

_HIDDEN: dict[str, Any] = {}
"""A name of the module: what a function may call is not searched there."""

App = Any
Build = Callable[[App], None]


@pytest.fixture
def app() -> App:
    """Its own application, without sanic-ext."""
    return make_app("unguarded")


def _handler() -> Any:
    async def secret(request: Request) -> Any:
        return text("SECRET")

    return secret


def _marked(app: App) -> None:
    app.add_route(requires(scope("a"))(_handler()), "/x", name="x")


def _any_token(app: App) -> None:
    app.add_route(authenticated(_handler()), "/x", name="x")


def _by_context(app: App) -> None:
    app.add_route(_handler(), "/x", name="x", ctx_auth="authenticated")


def _by_blueprint(app: App) -> None:
    blueprint = Blueprint("bp")
    blueprint.ctx.auth = scope("a")
    blueprint.add_route(_handler(), "/x", name="x")
    app.blueprint(blueprint)


def _view(app: App) -> None:
    class View(HTTPMethodView, attach=app, uri="/x"):
        @requires(scope("a"))
        async def get(self, request: Request) -> Any:
            return text("SECRET")


def _marked_view(app: App) -> None:
    @requires(scope("a"))
    class View(HTTPMethodView, attach=app, uri="/x"):
        async def get(self, request: Request) -> Any:
            return text("SECRET")


def _synchronous(app: App) -> None:
    def secret(request: Request) -> Any:
        return text("SECRET")

    app.add_route(requires(scope("a"))(secret), "/x", name="x")


def _decorated(app: App) -> None:
    secret = requires(scope("a"))(_handler())

    @wraps(secret)
    async def around(request: Request) -> Any:
        return await secret(request)

    app.add_route(around, "/x", name="x")


def _swallowed(app: App) -> None:
    secret = requires(scope("a"))(_handler())

    async def around(request: Request) -> Any:
        return await secret(request)

    app.add_route(around, "/x", name="x")


@pytest.mark.parametrize(
    "build",
    [_marked, _any_token, _by_context, _by_blueprint, _view, _marked_view, _synchronous, _decorated, _swallowed],
)
def test_marked_route_without_a_gate_gives_403(app: App, build: Build) -> None:
    """In an application without `install` what a rule speaks of is refused by 403 problem JSON, token or not."""
    build(app)
    app.add_route(_handler(), "/unruled", name="unruled")
    with Serving(app) as server:
        response = server.call("GET", "/x", token="x")
        assert response.status == 403
        assert response.headers["content-type"] == "application/problem+json"
        assert response.problem["code"] == "no_rule"
        assert server.call("GET", "/unruled").body == b"SECRET"  # nobody asked bearward for anything there


def test_open_rules_need_no_gate(app: App) -> None:
    """What is public or optional responds without a gate, too."""
    app.add_route(public(_handler()), "/public", name="public")
    app.add_route(_handler(), "/optional", name="optional", ctx_auth=optional)
    with Serving(app) as server:
        assert [server.call("GET", path).status for path in ("/public", "/optional")] == [200, 200]


def test_unguarded_routes_are_logged_once_at_start(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """One WARNING at the start names the routes and the call that is missing."""
    _marked(app)
    _by_blueprint_elsewhere(app)
    with Serving(app) as server:
        server.call("GET", "/x")
    (record,) = [record for record in caplog.records if record.name == "bearward.sanic"]
    assert "unguarded.bp.y, unguarded.x" in record.getMessage()
    assert "bearward_sanic.install(app, verifier)" in record.getMessage()


def _by_blueprint_elsewhere(app: App) -> None:
    blueprint = Blueprint("bp")
    blueprint.ctx.auth = authenticated
    blueprint.add_route(_handler(), "/y", name="y")
    app.blueprint(blueprint)


def test_auth_error_is_rendered_without_a_gate(app: App) -> None:
    """An `AuthError` of a handler is its problem response and no 500; a handler for it of the application's own stays."""

    @app.get("/raises")
    async def raises(request: Request) -> Any:
        raise AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("a",))

    with Serving(app) as server:
        response = server.call("GET", "/raises")
    assert (response.status, response.problem["code"]) == (403, "scope_insufficient")
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


def test_marked_websocket_without_a_gate_gives_403(app: App) -> None:
    """A marked websocket in an unguarded application responds to the handshake by 403."""

    @app.websocket("/ws")
    @requires(scope("a"))
    async def secret(request: Request, ws: Any) -> None:
        await ws.send("SECRET")

    headers = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    with Serving(app) as server:
        assert server.call("GET", "/ws", headers=headers).status == 403


def test_mark_hidden_by_a_decorator_still_guards(app: App, issuer: LocalIssuer) -> None:
    """Where no search finds what a decorator hides, the mark itself still asks by which rule the call was admitted."""
    secret = requires(scope("a"))(_handler())
    _HIDDEN["secret"] = secret

    @app.get("/x")
    @authenticated
    async def around(request: Request) -> Any:
        return await _HIDDEN["secret"](request)

    install(app, Verifier(TrustedIssuer(issuer.url, audience=issuer.audience)))
    with Serving(app) as server:
        for scopes in ("", "a"):
            response = server.call("GET", "/x", token=issuer.mint(scope=scopes))
            assert (response.status, response.problem["code"]) == (403, "no_rule")
