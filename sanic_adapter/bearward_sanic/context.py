"""The caller: the principal of the request that is being served, and the decision of the gate.

Rules of this file: Sanic serves all requests of a connection in one task, so a context variable of ours would outlive
its request; the request that Sanic itself calls current is used instead. The decision is stored on `request.ctx`; a
context that takes no attributes (`__slots__`) is left alone, and the decision is kept beside it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sanic import Request, Sanic
from sanic.exceptions import ServerError

from bearward import Principal
from bearward.stand_in import stand_in

__all__ = ["OUTCOME", "App", "current_principal", "principal_of", "set_outcome", "state_of", "was_admitted"]

App: TypeAlias = "Sanic[Any, Any]"
"""An application with any configuration and context."""

OUTCOME: Final = "_bearward_outcome"
"""Where `request.ctx` keeps the decision: True for admitted, otherwise the refusal."""

_PRINCIPAL: Final = "principal"
_beside: Final[WeakKeyDictionary[Request, dict[str, Any]]] = WeakKeyDictionary()
"""What stands on no context, since that has no room."""


def current_principal() -> Principal | None:
    """The verified caller of the request that is being served; None on a public route and outside any request.

    The same as `request.ctx.principal`, for code that is not handed the request. Works in handlers, middleware,
    websockets, and in tasks and threads (`asyncio.to_thread`) that they start.
    """
    try:
        request = Request.get_current()
    except (ServerError, LookupError):
        return stand_in()
    return principal_of(request)


def principal_of(request: Request) -> Principal | None:
    """The verified caller of `request`; None if there is none."""
    principal = state_of(request).get(_PRINCIPAL)
    return principal if isinstance(principal, Principal) else None


def was_admitted(request: Request) -> bool:
    """Whether the gate let `request` in."""
    return state_of(request).get(OUTCOME) is True


def set_outcome(request: Request, principal: Principal | None, outcome: object) -> None:
    """Note who calls, and what was decided."""
    state = state_of(request)
    state[_PRINCIPAL] = principal
    state[OUTCOME] = outcome
    if state is not getattr(request.ctx, "__dict__", None):
        with suppress(AttributeError):
            request.ctx.principal = principal


def state_of(request: Request) -> dict[str, Any]:
    """The names and values that stand for `request`, to be read and written."""
    state: dict[str, Any] | None = getattr(request.ctx, "__dict__", None)
    return _beside.setdefault(request, {}) if state is None else state
