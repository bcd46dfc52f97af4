"""One application with every kind of route that Sanic has, for the black-box tests.

It runs in its own process, on whichever Sanic and server a test asks for; see `serving.py`.
"""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Some of Sanic's decorators have no types.

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from sanic import Blueprint, HTTPResponse, Request, Sanic
from sanic.response import empty, json, text
from sanic.views import HTTPMethodView, stream

from bearward import (
    AuthError,
    JWKSOptions,
    Refusal,
    TrustedIssuer,
    Verifier,
    claim,
    recent_authentication,
    scope,
)
from bearward_sanic import (
    CookieCredentials,
    authenticated,
    current_principal,
    install,
    optional,
    public,
    reauthenticate,
    requires,
)
from tests.adapters.sanic.custom_handlers import add_middleware, certificate, teapot

COOKIE_KINDS = {
    "origin": CookieCredentials(name="token", origins=("https://app.example",)),
    "double_submit": CookieCredentials(name="token", csrf="double_submit", csrf_cookie="csrf"),
}


PATIENT = JWKSOptions(connect_timeout=60, read_timeout=60, total_timeout=60, start_wait=60)
"""A busy machine may take long to answer the first fetch, and a start without keys would be another test."""


def make_app(options: dict[str, Any]) -> Any:
    """The application; `options`: issuer, audience, ext, config (of Sanic), settings (of bearward), cookie."""
    app: Any = Sanic("knock")
    app.config.AUTO_EXTEND = bool(options.get("ext"))
    app.config.update(options.get("config", {}))
    issuer = TrustedIssuer(options["issuer"], audience=options["audience"], jwks_options=PATIENT)
    verifier = Verifier(issuer, jwks_cache=options.get("cache", "memory://"), jwks_cache_secret=b"a secret of the test")
    settings = {"default": authenticated, **options.get("settings", {})}
    if "cookie" in options:
        settings["cookie"] = COOKIE_KINDS[options["cookie"]]
    if options.get("render"):
        settings["render_refusal"] = teapot
    if options.get("certificates"):
        settings["client_certificate"] = certificate
    add_routes(app)
    add_blueprints(app)
    add_views_and_files(app)
    add_websockets(app)
    add_streams(app)
    if options.get("middleware", True):
        add_middleware(app)
    if options.get("injection"):
        from tests.adapters.sanic.injected_routes import add_injected_routes

        add_injected_routes(app)
    install(app, verifier, **settings)
    return app


def add_routes(app: Any) -> None:
    """Plain routes."""

    @app.get("/public")
    @public
    async def public_route(request: Request) -> HTTPResponse:
        return json({"principal": request.ctx.principal})

    @app.get("/private")
    async def private_route(request: Request) -> HTTPResponse:
        return text("SECRET")

    @app.get("/whoami")
    async def whoami(request: Request) -> HTTPResponse:
        await asyncio.sleep(float(request.args.get("wait", "0")))
        current = current_principal()
        assert current is not None
        return json({"ctx": request.ctx.principal.subject, "current": current.subject})

    @app.get("/scoped")
    @requires(scope("notes:read") & claim("tier", "gold"))
    async def scoped(request: Request) -> HTTPResponse:
        return text("SECRET")

    @app.get("/step-up")
    @requires(recent_authentication(max_age=60, acr_values=("mfa",)))
    async def step_up(request: Request) -> HTTPResponse:
        return text("SECRET")

    @app.get("/optional")
    @optional
    async def optional_route(request: Request) -> HTTPResponse:
        return json({"subject": request.ctx.principal and request.ctx.principal.subject})

    @app.put("/ctx", ctx_auth=scope("notes:write"))
    async def by_context(request: Request) -> HTTPResponse:
        return text("SECRET")

    add_more_routes(app)


def add_more_routes(app: Any) -> None:
    """Routes marked by context, with bodies, with errors."""

    @app.get("/ctx-public", ctx_auth="public")
    async def by_context_public(request: Request) -> HTTPResponse:
        return text("open")

    @app.post("/upload")
    async def upload(request: Request) -> HTTPResponse:
        return json({"length": len(request.body), "form": request.form and request.form.get("text")})

    @app.post("/upload-stream", stream=True)
    async def upload_stream(request: Request) -> HTTPResponse:
        stream: Any = request.stream
        return json({"length": sum([len(chunk) async for chunk in stream])})

    add_odd_uploads(app)

    @app.post("/grow")
    @public
    async def grow(request: Request) -> HTTPResponse:
        with app.amend():
            app.add_route(_marked, "/grown", name="grown")
        if "refresh" in request.args:
            app.ctx.bearward.refresh(app)
        return empty()

    @app.get("/raises")
    async def raises(request: Request) -> HTTPResponse:
        raise AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("notes:admin",))

    @app.route("/options", methods=["OPTIONS", "GET"])
    async def own_options(request: Request) -> HTTPResponse:
        return text("SECRET")

    @app.get("/catch/<rest:path>")
    async def catch_all(request: Request, rest: str) -> HTTPResponse:
        return text("SECRET")

    app.add_route(_decorated(_marked), "/decorated")


def add_odd_uploads(app: Any) -> None:
    """Handlers that read a body which Sanic was told to leave alone, or that do not want to end."""

    @app.post("/upload-ignored", ignore_body=True)
    async def upload_ignored(request: Request) -> HTTPResponse:
        stream: Any = request.stream
        return json({"length": sum([len(chunk) async for chunk in stream])})

    @app.post("/upload-stubborn", stream=True)
    async def upload_stubborn(request: Request) -> HTTPResponse:
        stream: Any = request.stream
        with suppress(asyncio.CancelledError):
            async for _ in stream:
                pass
        return json({"taken": True})


@requires(scope("notes:read"))
async def _marked(request: Request) -> HTTPResponse:
    return text("SECRET")


def _decorated(handler: Any) -> Any:
    @wraps(handler)
    async def around(request: Request) -> HTTPResponse:
        response: HTTPResponse = await handler(request)
        return response

    return around


def add_blueprints(app: Any) -> None:
    """Blueprints: with defaults, nested, versioned, copied."""
    admin = Blueprint("admin", url_prefix="/admin")
    admin.ctx.auth = requires(scope("admin"))

    @admin.get("/x")
    async def admin_x(request: Request) -> HTTPResponse:
        return text("SECRET")

    @admin.get("/open")
    @public
    async def admin_open(request: Request) -> HTTPResponse:
        return text("open")

    opened = Blueprint("opened", url_prefix="/opened")
    opened.ctx.auth = "public"

    @opened.get("/y")
    async def opened_y(request: Request) -> HTTPResponse:
        return text("open")

    @opened.get("/z")
    @requires(scope("notes:read"))
    async def opened_z(request: Request) -> HTTPResponse:
        return text("SECRET")

    versioned = Blueprint("versioned", url_prefix="/deep", version=3)

    @versioned.get("/v")
    async def versioned_v(request: Request) -> HTTPResponse:
        return text("SECRET")

    app.blueprint(Blueprint.group(Blueprint.group(versioned, url_prefix="/inner"), url_prefix="/outer"))
    app.blueprint([admin, opened, admin.copy("copied", url_prefix="/copied")])


def add_views_and_files(app: Any) -> None:
    """Class-based views and static files."""

    class View(HTTPMethodView, attach=app, uri="/view"):
        @public
        async def get(self, request: Request) -> HTTPResponse:
            return text("open")

        async def post(self, request: Request) -> HTTPResponse:
            return text("SECRET")

        @requires(scope("notes:write"))
        async def delete(self, request: Request) -> HTTPResponse:
            return text("SECRET")

    @requires(scope("notes:write"))
    class MarkedView(HTTPMethodView, attach=app, uri="/marked-view"):
        async def get(self, request: Request) -> HTTPResponse:
            return text("SECRET")

        @stream
        async def put(self, request: Request) -> HTTPResponse:
            return empty()

    folder = Path(tempfile.mkdtemp(prefix="bearward-"))
    (folder / "a.txt").write_text("SECRET")
    app.static("/static", folder, name="files")
    app.static("/single", folder / "a.txt", name="single")
    app.static("/assets", folder, name="assets")


def add_websockets(app: Any) -> None:
    """Websockets that echo."""

    async def echo(request: Request, ws: Any) -> None:
        while (message := await ws.recv()) is not None:
            who = request.ctx.principal and request.ctx.principal.subject
            await ws.send(f"{who}: {message}")

    app.add_websocket_route(echo, "/ws", name="ws")
    app.add_websocket_route(echo, "/ws-scoped", name="ws_scoped", ctx_auth=scope("notes:write"))
    app.add_websocket_route(echo, "/ws-chat", name="ws_chat", subprotocols=["chat"])
    app.add_websocket_route(echo, "/ws-public", name="ws_public", ctx_auth="public")

    @app.websocket("/ws-silent")
    async def silent(request: Request, ws: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            app.ctx.cleaned_up = True

    @app.get("/cleaned-up")
    @public
    async def cleaned_up(request: Request) -> HTTPResponse:
        return json(getattr(app.ctx, "cleaned_up", False))

    @app.websocket("/ws-renewing")
    async def renewing(request: Request, ws: Any) -> None:
        while (message := await ws.recv()) is not None:
            try:
                principal = await reauthenticate(request, message)
            except AuthError as error:
                await ws.send(error.code)
            else:
                await ws.send(f"now {principal.token_id}")


def add_streams(app: Any) -> None:
    """Responses that go on until somebody ends them."""

    @app.get("/events")
    async def events(request: Request) -> None:
        response = await request.respond(content_type="text/event-stream")
        try:
            while True:
                await response.send("data: tick\n\n")
                await asyncio.sleep(0.05)
        finally:
            app.ctx.cleaned_up = True

    @app.get("/lines")
    async def lines(request: Request) -> None:
        response = await request.respond(content_type="application/x-ndjson")
        await response.send("{}\n")
        await asyncio.sleep(3600)

    @app.get("/promised")
    async def promised(request: Request) -> None:
        response = await request.respond(headers={"content-length": "30"}, content_type="text/plain")
        for _ in range(30):
            await response.send("x")
            await asyncio.sleep(0.05)
