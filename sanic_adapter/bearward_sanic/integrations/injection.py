"""`principal: Principal` as a parameter of a handler, through the injection of sanic-ext.

Rules of this file: sanic-ext is used only if the application uses it. By default it injects before any middleware, so
routes with dependencies are authenticated before that by a signal of ours, and no dependency runs for a caller who is
refused.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any, Final, get_type_hints

from sanic import HTTPResponse, Request
from sanic.constants import HTTP_METHODS

from bearward import AuthError, ConfigurationError, Principal, Refusal
from bearward_sanic.context import App, principal_of
from bearward_sanic.mark_discovery import websocket_handler
from bearward_sanic.route_rules import RuleTable

__all__ = ["authenticate_before_injection", "provide", "routes_with_dependencies", "stop_signal"]

_SIGNAL: Final = "http.routing.after"
_FIRST: Final = 1_000_000


def stop_signal(*_: Any) -> HTTPResponse:
    """Stands for a refusal where a signal is handled: any response keeps Sanic from calling further handlers of it."""
    return HTTPResponse(status=401)


def authenticate_before_injection(app: App, admit: Callable[[Request], Any]) -> bool:
    """Have `admit` called for routes with dependencies before sanic-ext injects; whether that was arranged."""
    automatic = getattr(app.config, "AUTO_EXTEND", True) and importlib.util.find_spec("sanic_ext") is not None
    signal = str(getattr(app.config, "INJECTION_SIGNAL", _SIGNAL))
    if not (automatic or hasattr(app, "_ext")) or signal not in (_SIGNAL, "Event.HTTP_ROUTING_AFTER"):
        return False

    async def authenticate(request: Request, **_: Any) -> Any:
        result = admit(request)
        # Something true keeps Sanic from calling the handlers of this signal that come after: injection among them.
        return await result if isawaitable(result) else result

    app.signal(_SIGNAL, priority=_FIRST)(authenticate)
    return True


def provide(app: App, *, authenticated: bool) -> None:
    """Teach sanic-ext, where it is in use, to make a `Principal` and a `Principal | None`."""
    registry = _registry(app)
    if registry is None:
        return
    signal = app.config.INJECTION_SIGNAL
    if not authenticated and getattr(signal, "value", signal) == _SIGNAL:
        raise ConfigurationError("Extend(app)", "must come before bearward_sanic.install(app)")
    extend: Any = app.ext
    extend.add_dependency(Principal, _principal)
    extend.add_dependency(Principal | None, _principal_or_none)


def routes_with_dependencies(app: App, rules: RuleTable) -> frozenset[int]:
    """The ids of the routes into whose handlers sanic-ext injects something."""
    registry = _registry(app)
    if registry is None:
        return frozenset()
    return frozenset(id(rule.route) for rule in rules.values() if rule.route and _depends(rule.route.handler, registry))


def _depends(handler: Any, registry: Any) -> bool:
    view = getattr(handler, "view_class", None)
    if view is not None:
        return any(_depends(getattr(view, method.lower(), None), registry) for method in HTTP_METHODS)
    handler = getattr(handler, "__route_handler__", handler)
    if isinstance(handler, partial):
        handler = websocket_handler(handler) or handler.func
    try:
        hints = get_type_hints(handler)
    except Exception:  # noqa: BLE001  (what cannot be read is not injected into, either)
        return False
    return any(hint in registry for hint in hints.values())


def _registry(app: App) -> Any | None:
    return getattr(getattr(app, "_ext", None), "_injection_registry", None)


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    if principal is None:  # the route is public or optional, and its handler wants a caller all the same
        raise AuthError(Refusal.CREDENTIALS_MISSING)
    return principal


def _principal_or_none(request: Request) -> Principal | None:
    return principal_of(request)
