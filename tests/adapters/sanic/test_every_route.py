"""Every way in which Sanic makes a route, by every way to mark it: none answers a caller whom no rule lets in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import text
from sanic.views import HTTPMethodView

from bearward import TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, deny, install, public, requires
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE, Answer

RULE = requires(scope("a"))
ODD_METHODS = ("get", "Get", "GETX", "FOO", "TRACE", "PROPFIND", "HEAD", "OPTIONS", "POST", "GET")
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

Mark = Callable[[Any], Any]
Target = Any
"""An application or a blueprint: both have the same ways."""


def _secret(*_: Any, **__: Any) -> HTTPResponse:
    return text("SECRET")


def _handler() -> Any:
    async def secret(request: Request, **_: Any) -> HTTPResponse:
        return _secret()

    return secret


def _socket() -> Any:
    async def secret(request: Request, ws: Any, **_: Any) -> None:
        await ws.send("SECRET")

    return secret


class _Callable:
    """A handler that is no function."""

    __name__ = "callable_object"

    async def __call__(self, request: Request, **_: Any) -> HTTPResponse:
        return _secret()


def _add_plain(target: Target, mark: Mark, **ctx: Any) -> None:
    for method in ("get", "post", "put", "patch", "delete", "options"):
        getattr(target, method)(f"/{method}", name=method, **ctx)(mark(_handler()))
    target.route("/several", methods=["GET", "POST"], name="several", **ctx)(mark(_handler()))
    target.add_route(mark(_handler()), "/added", name="added", **ctx)
    target.add_route(mark(_secret_function()), "/synchronous", name="synchronous", **ctx)
    target.add_route(partial(mark(_handler()), more=1), "/partial", name="partial", **ctx)


def _secret_function() -> Any:
    def secret(request: Request, **_: Any) -> HTTPResponse:
        return _secret()

    return secret


def _add_paths(target: Target, mark: Mark, **ctx: Any) -> None:
    target.get("/typed/<number:int>", name="typed", **ctx)(mark(_handler()))
    target.get("/pattern/<word:[a-z]{3}>", name="pattern", **ctx)(mark(_handler()))
    target.get("/rest/<rest:path>", name="rest", **ctx)(mark(_handler()))
    target.get("/strict/", name="strict", strict_slashes=True, **ctx)(mark(_handler()))
    target.get("/versioned", name="versioned", version=2, **ctx)(mark(_handler()))
    target.get("/hosted", name="hosted", host="127.0.0.1", **ctx)(mark(_handler()))
    target.get("/unquoted/ä", name="unquoted", unquote=True, **ctx)(mark(_handler()))


def _add_bodies(target: Target, mark: Mark, **ctx: Any) -> None:
    target.post("/stream", name="stream", stream=True, **ctx)(mark(_handler()))
    target.post("/ignoring", name="ignoring", ignore_body=True, **ctx)(mark(_handler()))
    target.websocket("/socket", name="socket", **ctx)(mark(_socket()))
    target.add_websocket_route(mark(_socket()), "/added-socket", name="added_socket", **ctx)


def _add_views(target: Target, mark: Mark, **ctx: Any) -> None:
    class View(HTTPMethodView):
        @mark
        async def get(self, request: Request) -> HTTPResponse:
            return _secret()

    class Whole(HTTPMethodView):
        async def get(self, request: Request) -> HTTPResponse:
            return _secret()

    target.add_route(View.as_view(), "/view", name="view", **ctx)
    target.add_route(mark(Whole).as_view(), "/whole-view", name="whole_view", **ctx)


def _add_unmarkable(target: Target, folder: Path) -> None:
    """What takes neither a decorator nor `ctx_auth=`."""
    target.static("/folder", folder, name="folder")
    target.static("/file", folder / "a.txt", name="file")


PATHS = {
    **{name: f"/{name}" for name in ("get", "several", "added", "synchronous", "partial", "view", "file")},
    **{f"{name} ({name})": f"/{name}" for name in ("post", "put", "patch", "delete", "options")},
    "typed": "/typed/1",
    "pattern": "/pattern/abc",
    "rest": "/rest/a/b",
    "strict": "/strict/",
    "hosted": "/hosted",
    "versioned": "/v2/versioned",
    "unquoted": "/unquoted/%C3%A4",
    "stream (post)": "/stream",
    "socket": "/socket",
    "ignoring (post)": "/ignoring",
    "added_socket": "/added-socket",
    "whole_view": "/whole-view",
    "folder": "/folder/a.txt",
}
"""The path of each route by its name, with the method where that is not GET."""

UNMARKABLE = {"folder", "file"}


def _paths(prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(name, method, path)."""
    for key, path in PATHS.items():
        found = re.fullmatch(r"(\w+)(?: \((\w+)\))?", key)
        assert found is not None
        name, method = found[1], (found[2] or "get").upper()
        versioned = f"/v2{prefix}/versioned" if name == "versioned" else prefix + path
        yield name, method, versioned


def _add_all(target: Target, folder: Path, mark: Mark = lambda handler: handler, **ctx: Any) -> None:
    for add in (_add_plain, _add_paths, _add_bodies, _add_views):
        add(target, mark, **ctx)
    _add_unmarkable(target, folder)


def _wrapped(handler: Any) -> Any:
    """A decorator that keeps the mark."""
    if isinstance(handler, type):
        return RULE(handler)
    marked = RULE(handler)

    @wraps(marked)
    async def around(*args: Any, **kwargs: Any) -> Any:
        response = marked(*args, **kwargs)
        return await response if hasattr(response, "__await__") else response

    return around


def _mark_by_decorator(app: Any, folder: Path) -> dict[str, Any]:
    _add_all(app, folder, RULE)
    return {}


def _mark_below_a_decorator(app: Any, folder: Path) -> dict[str, Any]:
    _add_all(app, folder, _wrapped)
    return {}


def _mark_by_context(app: Any, folder: Path) -> dict[str, Any]:
    _add_all(app, folder, ctx_auth=RULE)
    return {}


def _mark_by_name(app: Any, folder: Path) -> dict[str, Any]:
    _add_all(app, folder)
    return {"rules": {route.name: RULE for route in app.router.routes}}


def _mark_by_blueprint(app: Any, folder: Path) -> dict[str, Any]:
    blueprint = Blueprint("bp", url_prefix="/bp")
    blueprint.ctx.auth = RULE
    _add_all(blueprint, folder)
    app.blueprint(blueprint)
    return {}


def _mark_by_blueprint_name(app: Any, folder: Path) -> dict[str, Any]:
    blueprint = Blueprint("bp", url_prefix="/bp")
    _add_all(blueprint, folder)
    app.blueprint(blueprint)
    return {"rules": {"bp.*": {"scopes": ["a"]}}}


def _mark_in_nested_groups(app: Any, folder: Path) -> dict[str, Any]:
    blueprint = Blueprint("bp", url_prefix="/bp")
    blueprint.ctx.auth = RULE
    _add_all(blueprint, folder)
    app.blueprint(Blueprint.group(Blueprint.group(blueprint), name_prefix="outer"))
    return {}


def _mark_by_copy(app: Any, folder: Path) -> dict[str, Any]:
    origin = Blueprint("origin", url_prefix="/origin")
    origin.ctx.auth = RULE
    for add in (_add_plain, _add_paths, _add_bodies, _add_views):
        add(origin, lambda handler: handler)
    copy = origin.copy("bp", url_prefix="/bp")
    _add_unmarkable(copy, folder)
    app.blueprint([origin, copy])
    return {}


def _mark_nothing(app: Any, folder: Path) -> dict[str, Any]:
    _add_all(app, folder)
    return {}


def _copy_of_the_unregistered(app: Any, folder: Path) -> dict[str, Any]:
    origin = Blueprint("origin", url_prefix="/origin")
    origin.ctx.auth = RULE
    _add_all(origin, folder)
    app.blueprint(origin.copy("bp", url_prefix="/bp"))
    return {}


EVERYTHING: dict[Any, tuple[str, set[str]]] = {
    _mark_by_decorator: ("", UNMARKABLE),
    _mark_below_a_decorator: ("", UNMARKABLE),
    _mark_by_context: ("", UNMARKABLE),
    _mark_by_name: ("", set()),
    _mark_by_blueprint: ("/bp", set()),
    _mark_by_blueprint_name: ("/bp", set()),
    _mark_in_nested_groups: ("/bp", set()),
    _mark_by_copy: ("/bp", set()),
    _mark_nothing: ("", {name for name, _, _ in _paths()}),
}
"""Ways to mark: the prefix of their paths, and the names of the routes that they leave without a rule."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file."""
    (tmp_path / "a.txt").write_text("SECRET")
    return tmp_path


def _serving(build: Any, folder: Path, issuer: LocalIssuer, **more: Any) -> Any:
    app = make_app("every")
    settings = build(app, folder)
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    install(app, Verifier(policy), **settings, **more)
    return Serving(app)


def _call(server: Serving, name: str, method: str, path: str, token: str | None) -> Answer:
    headers = {"Host": "127.0.0.1"} | (HANDSHAKE if "socket" in name else {})
    return server.call(method, path, headers=headers, token=token)


@pytest.mark.parametrize("default", [deny, pytest.param(authenticated, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("build", EVERYTHING)
def test_every_route_is_closed_unless_its_rule_admits_the_caller(
    build: Any, default: Any, folder: Path, issuer: LocalIssuer
) -> None:
    """Without a token 401, without the scope 403, with it the response; what says nothing has the default's answer."""
    prefix, unruled = EVERYTHING[build]
    without, good = issuer.mint(scope="b"), issuer.mint(scope="a")
    with _serving(build, folder, issuer, default=default) as server:
        for name, method, path in _paths(prefix):
            let_in = 101 if "socket" in name else 200
            expected = (403, let_in)
            if name in unruled:
                expected = (403, 403) if default == deny else (let_in, let_in)
            answers = [_call(server, name, method, path, token) for token in (None, without, good)]
            assert [answer.status for answer in answers] == [401, *expected], name
            for odd in ODD_METHODS:
                answer = _call(server, name, odd, path, None)
                assert (answer.status >= 400, b"SECRET" in answer.body) == (True, False), (name, odd)


@pytest.mark.parametrize("default", [deny, pytest.param(authenticated, marks=pytest.mark.thorough)])
def test_copies_of_an_unregistered_blueprint_are_denied(default: Any, folder: Path, issuer: LocalIssuer) -> None:
    """What the original of a copy would have said is unknown, so that no default opens the copy."""
    with _serving(_copy_of_the_unregistered, folder, issuer, default=default) as server:
        for name, method, path in _paths("/bp"):
            assert _call(server, name, method, path, None).status == 401
            assert _call(server, name, method, path, issuer.mint(scope="a")).status == 403


@pytest.mark.parametrize(
    "build",
    [
        *(_mark_by_decorator, _mark_below_a_decorator, _mark_by_context),
        *(_mark_by_blueprint, _mark_in_nested_groups, _mark_by_copy),
    ],
)
def test_marked_routes_are_closed_in_an_unguarded_application(build: Any, folder: Path) -> None:
    """Where nobody installed the gate, whatever a rule speaks of refuses."""
    prefix, unruled = EVERYTHING[build]
    app = make_app("every")
    build(app, folder)
    with Serving(app) as server:
        for name, method, path in _paths(prefix):
            if name not in unruled:
                answer = _call(server, name, method, path, "x")
                assert (answer.status, answer.problem["code"]) == (403, "no_rule"), name


@pytest.mark.parametrize("default", [deny, pytest.param(authenticated, marks=pytest.mark.thorough)])
def test_versioned_groups_keep_the_rule_of_their_blueprints(default: Any, folder: Path, issuer: LocalIssuer) -> None:
    """A version that a group gives changes the path of a route, and not who may call it."""

    def build(app: Any, folder: Path) -> dict[str, Any]:
        blueprint = Blueprint("bp", url_prefix="/bp")
        blueprint.ctx.auth = RULE
        for add in (_add_plain, _add_bodies):
            add(blueprint, lambda handler: handler)
        app.blueprint(Blueprint.group(blueprint, version=3, version_prefix="/api/v", url_prefix="/group"))
        return {}

    with _serving(build, folder, issuer, default=default) as server:
        for path, let_in in (("/api/v3/group/bp/get", 200), ("/api/v3/group/bp/socket", 101)):
            tokens = (None, issuer.mint(scope="b"), issuer.mint(scope="a"))
            assert [_call(server, path, "GET", path, token).status for token in tokens] == [401, 403, let_in]


@pytest.mark.parametrize("default", [deny, pytest.param(authenticated, marks=pytest.mark.thorough)])
def test_late_route_is_denied_until_rules_are_resolved(default: Any, folder: Path, issuer: LocalIssuer) -> None:
    """What `app.amend` adds is nobody's until the rules are resolved again, whatever it is marked and the default says."""

    def build(app: Any, folder: Path) -> dict[str, Any]:
        @app.get("/grow")
        @public
        async def grow(request: Request) -> HTTPResponse:
            with app.amend():
                app.add_route(RULE(_handler()), "/late", name="late")
                app.add_route(_handler(), "/later", name="later")
            return text("")

        @app.get("/refresh")
        @public
        async def refresh(request: Request) -> HTTPResponse:
            app.ctx.bearward.refresh(app)
            return text("")

        return {}

    tokens = (None, issuer.mint(scope="b"), issuer.mint(scope="a"))
    unruled = [401, 200, 200] if default == authenticated else [401, 403, 403]
    with _serving(build, folder, issuer, default=default) as server:
        assert server.call("GET", "/grow").status == 200
        for path in ("/late", "/later"):
            assert [_call(server, path, "GET", path, token).status for token in tokens] == [401, 403, 403]
        assert server.call("GET", "/refresh").status == 200
        assert [_call(server, "x", "GET", "/late", token).status for token in tokens] == [401, 403, 200]
        assert [_call(server, "x", "GET", "/later", token).status for token in tokens] == unruled
