"""Applications without a gate: a rule on a route must not mean "open" if `install` was forgotten.

Rules of this file: Sanic's `finalize`, which every application calls before it serves, is extended when
`bearward_sanic` is imported. In an application without a gate each route that has a rule, by a mark, by `ctx_auth=` or
by its blueprint's `ctx.auth`, refuses every call before its handler, and one line in the log says what to do. A rule
that admits anonymous callers needs no gate. An `AuthError` that a handler raises becomes a problem response.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from sanic import HTTPResponse, Request, Sanic
from sanic_routing.route import Route

from bearward import AuthError, Refusal
from bearward.access import Access, as_access
from bearward_sanic.blueprint_rules import BlueprintRules
from bearward_sanic.context import App
from bearward_sanic.mark_discovery import marks_on
from bearward_sanic.problem_response import RefusalResponses

__all__ = ["close_unguarded", "extend_finalize"]

_LOG: Final = logging.getLogger("bearward.sanic")
_RESPONSES: Final = RefusalResponses(realm=None, resource_metadata=None)
_CLOSED: Final = "__bearward_closed__"


def extend_finalize(finalize: Callable[[App], None]) -> Callable[[App], None]:
    """`Sanic.finalize` that closes, in an application without a gate, what a rule speaks of."""

    @wraps(finalize)
    def finalize_closed(app: App) -> None:
        finalize(app)
        if not hasattr(app.ctx, "bearward"):
            close_unguarded(app)

    setattr(finalize_closed, _CLOSED, True)
    return finalize_closed


def close_unguarded(app: App) -> None:
    """Refuse every call of the routes of `app` that a rule speaks of, and log which."""
    handlers: dict[Any, Any] = app.error_handler.cached_handlers
    if handlers.get((AuthError, None)) is None:
        handlers[AuthError, None] = _respond
    closed = sorted({route.name for route in _ruled(app) if _close(route)})
    if closed:
        _LOG.warning(
            "%s has no gate, but rules for %s: every call of these is refused until "
            "bearward_sanic.install(app, verifier) is called",
            app.name,
            ", ".join(closed),
        )


def _ruled(app: App) -> Iterator[Route]:
    blueprints = BlueprintRules(app, {})
    for route in app.router.routes:
        if any(not access.admits_anonymous for access in _rules(route, blueprints)):
            yield route


def _rules(route: Route, blueprints: BlueprintRules) -> Iterator[Access]:
    own = list(marks_on(route.handler, route.methods or ()))
    if hasattr(route.ctx, "auth"):
        own.append(as_access(route.ctx.auth, f"ctx_auth of route {route.name}"))
    of_blueprint = None if own else blueprints.rule(route)
    yield from own if of_blueprint is None else (of_blueprint,)


def _close(route: Route) -> bool:
    if getattr(route.handler, _CLOSED, False):
        return False

    async def refuse(*_: Any, **__: Any) -> HTTPResponse:
        return _RESPONSES.response(AuthError(Refusal.NO_RULE))

    setattr(refuse, _CLOSED, True)
    route.handler = refuse
    route.extra.ignore_body = True
    return True


def _respond(_: Request, error: Exception) -> HTTPResponse:
    if not isinstance(error, AuthError):
        raise error
    return _RESPONSES.response(error)


if not getattr(Sanic.finalize, _CLOSED, False):
    Sanic.finalize = extend_finalize(Sanic.finalize)  # type: ignore[method-assign,assignment]
