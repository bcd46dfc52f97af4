"""Requests that lead nowhere: no such route, no such method, or no request that Sanic could read.

Rule of this file: Sanic runs request middleware for those too, on its error path; where a stranger gets past the door
there, no middleware gets the word before Sanic's own answer, since it would answer a stranger.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable
from sys import exception
from typing import Any

from sanic import HTTPResponse, Request
from sanic.exceptions import RequestTimeout

__all__ = ["answer_at_once", "is_preflight"]


def answer_at_once(request: Request) -> HTTPResponse | Awaitable[HTTPResponse | None] | None:
    """What Sanic, or an exception handler of the application, answers to the exception that brought us here."""
    error = exception()
    if isinstance(error, CancelledError):  # how Sanic's timer ends a request that does not come
        error = RequestTimeout("Request Timeout")
    if not isinstance(error, Exception):
        return None
    handlers: Any = request.app.error_handler
    answer: HTTPResponse | Awaitable[HTTPResponse | None] | None = handlers.response(request, error)
    return answer


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight (Fetch standard, section 3.2.2)."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
