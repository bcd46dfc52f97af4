"""What an application brings itself: middleware that responds in the place of handlers, a renderer, a proxy's proof."""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Some of Sanic's decorators have no types.

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import json, text

from bearward import AuthError


def add_middleware(app: Any) -> None:
    """A user's middleware that responds in the place of handlers, as page caches do."""

    @app.on_request(priority=2_000_000_000)
    async def cache(request: Request) -> HTTPResponse | None:
        unread = request.method == "NONE"  # Sanic's word for a request that it could not read; it has no headers
        return text("SECRET") if unread or "x-cached" in request.headers else None

    @app.on_response(priority=2_000_000_000)
    async def replace(request: Request, response: HTTPResponse) -> HTTPResponse | None:
        if "x-changed" in request.headers:
            response.status, response.body = 200, b"SECRET"
            response.headers.pop("www-authenticate", None)
        if "x-responded" in request.headers:
            another = await request.respond(text("SECRET"))
            await another.eof()
        response.headers["x-seen"] = "yes"
        return text("SECRET") if "x-replaced" in request.headers else None


def certificate(request: Request) -> bytes | None:
    """What a proxy would have proven; the tests are the proxy."""
    sent = request.headers.get("x-test-certificate")
    return None if sent is None else bytes.fromhex(sent)


def teapot(request: Request, error: AuthError, response: HTTPResponse) -> HTTPResponse:
    """A renderer that would let a refusal pass for an answer."""
    return json({"mine": error.code}, status=200 if request.path == "/private" else 418)
