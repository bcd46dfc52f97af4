"""What has to stand around a handler: the watch over a websocket, the quiet end of a stream under ASGI, and the door.

Rules of this file: handlers are wrapped at the start and unwrapped before the next one, so that twenty starts wrap
once. The quiet end is needed only under ASGI, where cancelling the handler would otherwise cancel the server's own task.
The door stands here where it is a route's only request middleware, and then its place among the middleware is empty;
a handler is never unwrapped without the door going back there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, Final

from sanic import Request
from sanic.response import BaseHTTPResponse, ResponseStream

from bearward import Verifier
from bearward_sanic.context import App
from bearward_sanic.gate import FrontDoor
from bearward_sanic.mark_discovery import ORIGINAL, websocket_handler
from bearward_sanic.streams import ENDED, RESPONSE
from bearward_sanic.websockets import guarded_websocket

__all__ = ["unwrap_handlers", "wrap_handlers"]

_BETWEEN: Final = frozenset({"http.handler.before", "http.middleware.before", "http.middleware.after"})
"""Signals on which somebody's code would run before a door that stands right before the handler."""


def unwrap_handlers(app: App) -> None:
    """Give every route its own handler back."""
    for route in app.router.routes:
        route.handler = getattr(route.handler, ORIGINAL, route.handler)
    app.router.get.cache_clear()  # it remembers handlers


def wrap_handlers(app: App, door: FrontDoor, verifier: Verifier) -> None:
    """Put around every handler what it needs, and the door where it stands best."""
    nobody_between = _BETWEEN.isdisjoint(signal.name for signal in app.signal_router.routes)
    for guarded in door.doors.values():
        route = guarded.route
        if hasattr(route.handler, ORIGINAL):
            continue
        if websocket_handler(route.handler) is not None:
            route.handler = guarded_websocket(route.handler, verifier, guarded)
        elif app.asgi:
            route.handler = _ending_quietly(route.handler)
        chain: deque[Any] = route.extra.request_middleware
        if nobody_between and len(chain) == 1 and not guarded.websocket:
            route.handler = door.before(route.handler, route)
            route.extra.request_middleware = deque()
        else:
            chain[0] = door.enter  # no detour by Sanic's wrapper and ours
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
