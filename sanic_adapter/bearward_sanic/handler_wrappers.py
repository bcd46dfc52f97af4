"""The wrappers of handlers: the watch over a websocket, the quiet end of a stream, and the gate.

Rules of this file: handlers are wrapped at startup and unwrapped before the next one, so that twenty starts wrap once.
The guard of a mark is left out if the gate decides by that very mark. The quiet end is needed for uploads, and for
everything under ASGI, where cancelling the handler would otherwise cancel the server's own task. The gate is here if it
is a route's only request middleware, and then it is not among the middleware; a handler is never unwrapped without
putting the gate back there.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from bearward.access import mark_of, unmarked
from bearward_sanic.context import App
from bearward_sanic.gate import Gate
from bearward_sanic.mark_discovery import websocket_handler
from bearward_sanic.route_rules import RouteRule
from bearward_sanic.stream_end import ending_quietly
from bearward_sanic.websockets import SocketTerms, guarded_websocket

__all__ = ["unwrap_handlers", "wrap_handlers"]

_WRAPPED: Final = "bearward_handler"
"""Where a route's `extra` keeps the handler that we gave it and its own."""

_BETWEEN: Final = frozenset({"http.handler.before", "http.middleware.before", "http.middleware.after"})
"""Signals on which somebody's code would run before a gate that stands right before the handler."""


def unwrap_handlers(app: App) -> None:
    """Give every route its own handler back."""
    for route in app.router.routes:
        ours, original = getattr(route.extra, _WRAPPED, (None, None))
        if route.handler is ours:
            route.handler = original
    app.router.get.cache_clear()  # it remembers handlers


def wrap_handlers(app: App, gate: Gate, terms: SocketTerms) -> None:
    """Put around every handler what it needs, and the gate where it stands best."""
    nobody_between = _BETWEEN.isdisjoint(signal.name for signal in app.signal_router.routes)
    for rule in {id(rule.route): rule for rule in gate.rules.values()}.values():
        route: Any = rule.route
        original = route.handler
        route.handler = _called_by_gate(original, rule, terms, asgi=app.asgi)
        chain: deque[Any] = route.extra.request_middleware
        if nobody_between and len(chain) == 1 and not rule.websocket:
            route.handler = gate.wrap_handler(route.handler, route)
            route.extra.request_middleware = deque()
        else:
            chain[0] = gate.admit  # no detour by Sanic's wrapper and ours
        setattr(route.extra, _WRAPPED, (route.handler, original))
    app.router.get.cache_clear()


def _called_by_gate(handler: Any, rule: RouteRule, terms: SocketTerms, *, asgi: bool) -> Any:
    """What is called for a request that was admitted: `handler`, without the guard of the mark that decided."""
    if websocket_handler(handler) is not None:
        return guarded_websocket(handler, terms, rule.access)
    if mark_of(handler) == rule.access:
        handler = unmarked(handler)
    return ending_quietly(handler, asgi=asgi) if asgi or rule.upload else handler
