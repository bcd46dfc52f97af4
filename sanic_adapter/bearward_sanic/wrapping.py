"""What has to stand around a handler: the watch over a websocket, the quiet end of a stream under ASGI.

Rules of this file: handlers are wrapped at the start and unwrapped before the next one, so that twenty starts wrap
once; HTTP handlers only under ASGI, where cancelling the handler would otherwise cancel the server's own task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import isawaitable
from typing import Any

from sanic import Request
from sanic.response import BaseHTTPResponse, ResponseStream

from bearward import Verifier
from bearward_sanic.handlers import ORIGINAL, websocket_handler
from bearward_sanic.policies import Door
from bearward_sanic.streams import ENDED, RESPONSE
from bearward_sanic.typed import App
from bearward_sanic.websockets import guarded_websocket

__all__ = ["unwrap_handlers", "wrap_handlers"]


def unwrap_handlers(app: App) -> None:
    """Give every route its own handler back."""
    for route in app.router.routes:
        route.handler = getattr(route.handler, ORIGINAL, route.handler)
    app.router.get.cache_clear()  # it remembers handlers


def wrap_handlers(app: App, doors: Iterable[Door], verifier: Verifier) -> None:
    """Put around every handler what it needs."""
    for door in doors:
        handler = door.route.handler
        if hasattr(handler, ORIGINAL):
            continue
        if websocket_handler(handler) is not None:
            door.route.handler = guarded_websocket(handler, verifier, door)
        elif app.asgi:
            door.route.handler = _ending_quietly(handler)
    app.router.get.cache_clear()


def _ending_quietly(handler: Callable[..., Any]) -> Callable[..., Any]:
    """`handler`, whose cancellation ends its response and not the task of the ASGI server."""

    @wraps(handler)
    async def quiet(request: Request, *args: Any, **kwargs: Any) -> Any:
        _remember_response(request)
        try:
            response = handler(request, *args, **kwargs)
            if isawaitable(response):
                response = await response
        except asyncio.CancelledError:
            if not _was_ended(request):
                raise
            return None
        if isinstance(response, ResponseStream):
            response.streaming_fn = _streaming_quietly(request, response.streaming_fn)
        return response

    setattr(quiet, ORIGINAL, handler)
    return quiet


def _streaming_quietly(request: Request, stream: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stream)
    async def quiet(*args: Any, **kwargs: Any) -> Any:
        try:
            return await stream(*args, **kwargs)
        except asyncio.CancelledError:
            if not _was_ended(request):
                raise
            return None

    return quiet


def _remember_response(request: Request) -> None:
    stream: Any = request.stream
    respond = stream.respond

    def remembering(response: BaseHTTPResponse) -> Any:
        setattr(request.ctx, RESPONSE, response)
        return respond(response)

    stream.respond = remembering


def _was_ended(request: Request) -> bool:
    """Whether it was we who cancelled, having ended the response; then the task goes on as if it had not been."""
    task = asyncio.current_task()
    if task is None or not getattr(request.ctx, ENDED, False):
        return False
    task.uncancel()
    return True
