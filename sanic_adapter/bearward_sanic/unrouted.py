"""Requests without a route: no such path, no such method, or a request that Sanic could not parse.

Rule of this file: Sanic runs request middleware for those too, on its error path; if an anonymous caller gets past the
gate there, no middleware runs before Sanic's own response, since it would respond to that caller.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable
from sys import exception
from typing import Any

from sanic import HTTPResponse, Request
from sanic.exceptions import RequestTimeout

__all__ = ["is_preflight", "respond_immediately"]


def respond_immediately(request: Request) -> HTTPResponse | Awaitable[HTTPResponse | None] | None:
    """The response of Sanic, or of an exception handler of the application, to the exception that brought us here."""
    error = exception()
    if isinstance(error, CancelledError):  # how Sanic's timer ends a request that does not come
        error = RequestTimeout("Request Timeout")
    if not isinstance(error, Exception):
        return None
    handlers: Any = request.app.error_handler
    response: HTTPResponse | Awaitable[HTTPResponse | None] | None = handlers.response(request, error)
    return response


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight (Fetch standard, section 3.2.2)."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
