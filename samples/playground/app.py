"""The page's own small Sanic application, guarded by its own rules.

Rules of this file: everything but the static files and the grant of the page's token asks for the page's scope; what is
sent to the page and by it is JSON, and a refusal or a mistake is a problem that says what to do. No token is logged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.response import BaseHTTPResponse, raw
from sanic.response import json as json_response

from bearward import public, requires
from bearward_sanic import install
from samples.playground.guard import HEADERS, USE, PageTokens, refused_origin
from samples.playground.minting import InvalidInputError
from samples.playground.stage import Stage

__all__ = ["STATIC", "create_page"]

STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_MAX_BODY = 256 * 1024

App = Sanic[Any, Any]
Act = Callable[[dict[str, Any]], Awaitable[Any]]


def create_page(stage: Stage, hosts: frozenset[str], origin: str, *, lifetime: int) -> App:
    """The application; `hosts` are the names that it answers to, `lifetime` is that of the page's tokens in seconds."""
    app: App = Sanic("bearward-playground", configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.REQUEST_MAX_SIZE = _MAX_BODY
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1.0
    app.config.ACCESS_LOG = False
    tokens = PageTokens(origin, lifetime)
    install(app, tokens.verifier, realm="playground")

    async def check_origin(request: Request) -> HTTPResponse | None:
        return refused_origin(request, hosts)

    async def add_headers(_: Request, response: BaseHTTPResponse) -> None:
        response.headers.update(HEADERS)
        response.headers.setdefault("cache-control", "no-store")

    app.register_middleware(check_origin, "request")
    app.register_middleware(add_headers, "response")
    app.before_server_start(stage.start)
    app.before_server_stop(stage.stop)
    app.exception(InvalidInputError)(_invalid)
    _add_files(app)
    _add_grant(app, tokens)
    _add_live(app, stage)
    for name, act in stage.acts.items():
        _add_act(app, name, act)
    return app


def _add_files(app: App) -> None:
    """The files of the page, each by its name: there is no path to get wrong."""
    for path in sorted(STATIC.iterdir()):
        body, kind = path.read_bytes(), _TYPES[path.suffix]

        async def serve_file(_: Request, body: bytes = body, kind: str = kind) -> HTTPResponse:
            return raw(body, content_type=kind, headers={"cache-control": "no-cache"})

        url = "/" if path.name == "index.html" else f"/{path.name}"
        app.add_route(public(serve_file), url, methods=["GET"], name=f"file_{path.stem}_{path.suffix[1:]}")


def _add_grant(app: App, tokens: PageTokens) -> None:
    @app.post("/session")
    @public
    async def session(_: Request) -> HTTPResponse:
        return json_response(tokens.grant(), headers={"cache-control": "no-store"})


def _add_live(app: App, stage: Stage) -> None:
    @app.get("/live")
    @requires(USE)
    async def live(request: Request) -> None:
        response = await request.respond(content_type="text/event-stream", headers={"cache-control": "no-store"})
        async for text in stage.follow():
            await response.send(text)
        await response.eof()


def _add_act(app: App, name: str, act: Act) -> None:
    """One thing that the page can do: JSON in, JSON out."""

    @requires(USE)
    async def do(request: Request) -> HTTPResponse:
        asked = request.load_json() if request.body else {}
        if not isinstance(asked, dict):
            raise InvalidInputError("the body must be a JSON object")
        return json_response(await act(asked))

    app.add_route(do, f"/do/{name}", methods=["POST"], name=f"do_{name}")


async def _invalid(_: Request, error: Exception) -> HTTPResponse:
    problem = {"title": "Bad Request", "status": 400, "detail": str(error)}
    return json_response(problem, status=400, content_type="application/problem+json")
