"""Who calls: the principal of the request that is being served.

Rule of this file: Sanic serves all requests of a connection in one task, so a context variable of ours would outlive
its request; the request that Sanic itself calls current is asked instead.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sanic import Request, Sanic
from sanic.exceptions import ServerError

from bearward import Principal

__all__ = ["App", "current_principal", "principal_of"]

App: TypeAlias = "Sanic[Any, Any]"
"""An application with any configuration and context."""


def current_principal() -> Principal | None:
    """The verified caller of the request that is being served; None on a public route and outside any request.

    The same as `request.ctx.principal`, for code that is not handed the request. Works in handlers, middleware,
    websockets, and in tasks and threads (`asyncio.to_thread`) that they start.
    """
    try:
        request = Request.get_current()
    except (ServerError, LookupError):
        return None
    return principal_of(request)


def principal_of(request: Request) -> Principal | None:
    """The verified caller of `request`; None where nobody was verified."""
    principal = getattr(request.ctx, "principal", None)
    return principal if isinstance(principal, Principal) else None
