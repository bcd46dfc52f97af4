"""How a refusal looks is the application's, by a renderer or an exception handler; that it is one is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sanic import Blueprint, HTTPResponse, Request
from sanic.exceptions import NotFound
from sanic.response import json, text

from bearward import AuthError, Refusal, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

ISSUER = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")


def _says(what: str, status: int = 418, headers: dict[str, str] | None = None) -> Any:
    return json({"code": what}, status=status, headers=headers)


async def _awaited(*given: Any) -> HTTPResponse:
    response: HTTPResponse = _says("theirs")
    return response


def _failing(*given: Any) -> HTTPResponse:
    raise ValueError


DEFAULT, THEIRS = (401, "credentials_missing"), (418, "theirs")
LOOKS: dict[str, tuple[Callable[..., Any], tuple[int, str]]] = {
    "another status": (lambda *given: _says("theirs"), THEIRS),
    "awaited": (_awaited, THEIRS),
    "success": (lambda *given: _says("theirs", 200), (401, "theirs")),
    "almost a redirection": (lambda *given: _says("theirs", 299), (401, "theirs")),
    "several choices": (lambda *given: _says("theirs", 300), (300, "theirs")),
    "a redirection": (lambda *given: _says("theirs", 303, {"location": "/login"}), (303, "theirs")),
    "nothing": (lambda *given: None, DEFAULT),
    "no response": (lambda *given: "theirs", DEFAULT),
    "failing": (_failing, DEFAULT),
}


@contextmanager
def _serving(*, middleware: bool = False, prepare: Callable[[Any], object] = id, **settings: Any) -> Iterator[Serving]:
    """An application whose routes refuse: one by the gate, one by its own code, and none where there is no route."""
    app = make_app("rendered")
    app.add_route(_own, "/private", name="private")
    app.add_route(_refusing, "/raises", name="raises")
    part = Blueprint("part", url_prefix="/part")
    part.add_route(_own, "/private", name="private")
    prepare(app)
    if "own" in settings:
        part.exception(AuthError)(settings.pop("own"))
    app.blueprint(part)
    if middleware:
        app.on_response(_decorate)
    policy = TrustedIssuer(ISSUER.url, audience=AUDIENCE, jwks=ISSUER.keys.jwks())
    install(app, Verifier(policy), default=authenticated, **settings)
    with Serving(app) as server:
        yield server


async def _own(request: Request) -> HTTPResponse:
    return text("SECRET")


async def _refusing(request: Request) -> HTTPResponse:
    raise AuthError(Refusal.CREDENTIALS_MISSING)


async def _decorate(request: Request, response: Any) -> None:
    response.headers["x-seen"] = "yes"


@pytest.mark.parametrize("middleware", [False, True], ids=["alone", "with middleware"])
@pytest.mark.parametrize("by", ["renderer", "exception handler"])
@pytest.mark.parametrize("look", LOOKS)
def test_application_chooses_how_a_refusal_looks(look: str, by: str, middleware: bool) -> None:
    """Body and status are its, but no success; the challenge stays, and where its code fails the refusal is as usual."""
    function, expected = LOOKS[look]
    if by == "renderer":
        made = _serving(middleware=middleware, render_refusal=lambda request, error, response: function())
    else:
        made = _serving(middleware=middleware, prepare=lambda app: app.exception(AuthError)(function))
    with made as server:
        for path in ("/private", "/nowhere", "/part/private"):
            answer = server.call("GET", path)
            assert (answer.status, answer.problem["code"]) == expected
            assert answer.challenge == 'Bearer realm="api"'
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["connection"] != "close"
            assert answer.headers["x-seen"] == ("yes" if middleware else None)
        assert server.call("GET", "/private", token=ISSUER.mint()).body == b"SECRET"


@pytest.mark.parametrize("look", LOOKS)
def test_renderer_is_asked_for_refusals_of_the_applications_own_code(look: str) -> None:
    """An `AuthError` that a handler raises looks like any other refusal."""
    function, expected = LOOKS[look]
    with _serving(render_refusal=lambda request, error, response: function()) as server:
        answer = server.call("GET", "/raises", token=ISSUER.mint())
        assert (answer.status, answer.problem["code"]) == expected
        assert answer.challenge == 'Bearer realm="api"'


def test_refusal_of_the_applications_own_code_is_rendered_without_a_renderer() -> None:
    """As the gate would."""
    with _serving() as server:
        answer = server.call("GET", "/raises", token=ISSUER.mint())
        assert (answer.status, answer.problem["code"], answer.challenge) == (*DEFAULT, 'Bearer realm="api"')


def test_handler_of_a_blueprint_is_for_its_routes() -> None:
    """On those it comes before the application's; other routes have the application's, or none."""
    with _serving(own=lambda *given: _says("part")) as server:
        codes = [server.call("GET", path).problem["code"] for path in ("/part/private", "/private", "/nowhere")]
    assert codes == ["part", "credentials_missing", "credentials_missing"]
    own, whole = (lambda *given: _says("part")), (lambda *given: _says("whole"))
    with _serving(own=own, prepare=lambda app: app.exception(AuthError)(whole)) as server:
        codes = [server.call("GET", path).problem["code"] for path in ("/part/private", "/private", "/nowhere")]
    assert codes == ["part", "whole", "whole"]


def test_renderer_comes_before_exception_handlers() -> None:
    """Where an application has both."""
    renderer, handler = (lambda *given: _says("renderer")), (lambda *given: _says("handler"))
    with _serving(render_refusal=renderer, prepare=lambda app: app.exception(AuthError)(handler)) as server:
        assert server.call("GET", "/private").problem["code"] == "renderer"


def test_renderer_may_say_its_own_challenge() -> None:
    """What it sets of the headers that stay is kept; what it does not set is added."""
    headers = {"www-authenticate": "Custom"}
    with _serving(render_refusal=lambda *given: _says("theirs", headers=headers)) as server:
        answer = server.call("GET", "/private")
    assert (answer.challenge, answer.headers["cache-control"]) == ("Custom", "no-store")


def test_failing_renderer_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Anonymous callers cause refusals, and must not fill the log with them."""
    with caplog.at_level(logging.ERROR), _serving(render_refusal=lambda request, error, response: _failing()) as server:
        for _ in range(3):
            assert server.call("GET", "/private").status == 401
    assert [record.name for record in caplog.records] == ["bearward.sanic"]


def test_response_middleware_of_a_blueprint_runs_on_refusals_of_its_routes() -> None:
    """As it runs on their responses, and on no other route's."""

    def prepare(app: Any) -> None:
        part = Blueprint("own", url_prefix="/own")
        part.add_route(_own, "/private", name="private")
        part.on_response(_decorate)
        app.blueprint(part)

    with _serving(prepare=prepare) as server:
        seen = [server.call("GET", path).headers["x-seen"] for path in ("/own/private", "/private", "/nowhere")]
    assert seen == ["yes", None, None]


def test_plain_routes_are_refused_as_ever_where_websockets_are_closed() -> None:
    """`websocket_refusal="close"` is for handshakes alone."""
    with _serving(websocket_refusal="close") as server:
        assert server.call("GET", "/private").status == 401
        assert server.call("GET", "/nowhere").status == 401


def test_unknown_routes_that_are_shown_are_sanics() -> None:
    """Also to a preflight that no middleware answers; a handler for them finds that there is no caller."""

    async def unknown(request: Request, error: Exception) -> HTTPResponse:
        return text(str(request.ctx.principal), 404)

    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    with _serving(hide_unknown_routes=False, prepare=lambda app: app.exception(NotFound)(unknown)) as server:
        assert (server.call("GET", "/nowhere").status, server.call("GET", "/nowhere").body) == (404, b"None")
        assert server.call("OPTIONS", "/nowhere", headers=preflight).status == 404
