"""The place of the gate among the middleware: first on every route, and first and last if there is no route.

Rules of this file: only the order of Sanic's own chains is changed, whatever priorities others chose, and whenever
Sanic sorts them again. If Sanic would read a body before the middleware, the gate reads it after admitting the caller.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sanic.middleware import Middleware, MiddlewareLocation

from bearward_sanic.context import App
from bearward_sanic.gate import Gate
from bearward_sanic.route_rules import Body, RouteRule

__all__ = ["BEFORE_ALL", "Middlewares", "defer_body"]

BEFORE_ALL: Final[Any] = math.inf
"""Before any middleware whose priority is a number, even after Sanic sorts them again (`app.amend`)."""

_DEFERRED: Final = "bearward_defers"
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class Middlewares:
    """The two request middleware of a gate: before all others, and after them where there is no route."""

    def __init__(self, admit: Callable[..., Any], refuse_unanswered_preflight: Callable[..., Any]) -> None:
        self.admit = admit
        self._last = refuse_unanswered_preflight

    def install(self, app: App) -> None:
        """Put them into their places; twice is once."""
        chains: list[deque[Any]] = [route.extra.request_middleware for route in app.router.routes]
        for chain in (*chains, app.request_middleware):
            others = [item for item in chain if not self._is_ours(item)]
            chain.clear()
            chain.extend([Middleware(self.admit, MiddlewareLocation.REQUEST, priority=BEFORE_ALL), *others])
        app.request_middleware.append(Middleware(self._last, MiddlewareLocation.REQUEST, priority=-BEFORE_ALL))

    def _is_ours(self, middleware: Any) -> bool:
        function = getattr(middleware, "func", middleware)
        return function in (self.admit, self._last) or isinstance(getattr(function, "__self__", None), Gate)


def defer_body(rule: RouteRule, method: str) -> RouteRule:
    """Have the body read after the gate and not before it, where Sanic would read one."""
    route: Any = rule.route
    if route.extra.ignore_body and not getattr(route.extra, _DEFERRED, False):
        # The handler may read what Sanic was told to ignore, but for methods that Sanic itself takes to have no body.
        return replace(rule, upload=method not in _WITHOUT_BODY)
    route.extra.ignore_body = True
    setattr(route.extra, _DEFERRED, True)
    if rule.websocket:
        return replace(rule, body=Body.SHORT)
    streams = hasattr(route.handler, "is_stream")
    return replace(rule, body=Body.STREAM if streams else Body.WHOLE, upload=streams)
