"""What an event says of a request: the template of its route, its identifier, and how long the decision took.

Rule of this file: nothing that a caller chose. A path is never reported, and Sanic's identifier of a request, which may be
a header of the caller's, only if it is a safe one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sanic import Request

from bearward.reporter import correlation_id
from bearward_sanic.context import state_of

__all__ = ["operation_of", "request_identifier", "started", "took"]

_STARTED: Final = "_bearward_started"


def operation_of(request: Request) -> str | None:
    """The template of the route, such as `/notes/<id:int>`; None if there is none."""
    return request.uri_template if request.route is not None else None


def request_identifier(request: Request) -> str:
    """Sanic's identifier of the request, which is the header `REQUEST_ID_HEADER` if there is one."""
    return correlation_id(lambda: request.id)


def started(request: Request, now: float) -> None:
    """The decision about `request` starts; `now` is in seconds."""
    state_of(request).setdefault(_STARTED, now)


def took(request: Request, now: Callable[[], float]) -> float | None:
    """Seconds since the decision started; None if nobody asked for it."""
    since = state_of(request).get(_STARTED)
    return None if since is None else now() - since
