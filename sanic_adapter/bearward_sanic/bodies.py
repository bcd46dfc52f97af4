"""Bodies: refused without being read, or read once the caller is let in.

Rules of this file: only what Sanic itself tells streaming handlers to set, on the request's stream. Under ASGI the
server owns the connection, and is asked to close it.
"""

from __future__ import annotations

import math
from typing import Any, Final

from sanic import Request

__all__ = ["DRAINED_AT_MOST", "receive_body", "refuse_body"]

DRAINED_AT_MOST: Final = 64 * 1024
"""Octets of a refused body that are read so that the connection can be kept; a longer one costs the connection."""


def refuse_body(request: Request) -> bool:
    """Have nobody ask for or drain the body of a request that is refused; whether the connection must be closed."""
    stream: Any = request.stream
    if not getattr(stream, "request_body", None):
        return False
    if not hasattr(stream, "request_max_size"):
        return _long(request) and _http_1(request)
    stream.expecting_continue = False  # or "100 Continue" would stand in front of the refusal (RFC 9110 section 10.1.1)
    stream.request_max_size = DRAINED_AT_MOST
    if stream.request_body == "chunked" or (stream.request_bytes or 0) > DRAINED_AT_MOST:
        stream.keep_alive = False
        return True
    return False


def _long(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return "transfer-encoding" in request.headers or (length.isdecimal() and int(length[:19]) > DRAINED_AT_MOST)


def _http_1(request: Request) -> bool:
    """Whether a `Connection` header means something (RFC 9113 section 8.2.2 forbids it in HTTP/2)."""
    scope = getattr(request.transport, "scope", None) or {}
    return scope.get("type") == "http" and str(scope.get("http_version", "")).startswith("1")


async def receive_body(request: Request, handler: object) -> None:
    """What Sanic would have done before the middleware: read the body, or leave it to a streaming handler."""
    stream: Any = request.stream
    if stream is None or not stream.request_body or request.body:
        return
    if hasattr(handler, "is_stream"):
        stream.request_max_size = math.inf
    else:
        await request.receive_body()  # type: ignore[no-untyped-call]
