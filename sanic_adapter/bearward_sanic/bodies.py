"""Request bodies: refused without being read, or read once the caller is admitted.

Rules of this file: only those attributes of the request's stream are set that Sanic itself sets for streaming handlers.
Under ASGI the server owns the connection, and is asked to close it.
"""

from __future__ import annotations

import math
from typing import Any, Final

from sanic import Request

__all__ = ["receive_body", "receive_short_body", "refuse_body", "stream_body"]

_MAX_DRAINED: Final = 64 * 1024
"""Octets of a refused body that are read so that the connection can be kept; a longer one costs the connection."""


def refuse_body(request: Request) -> bool:
    """Prevent Sanic from requesting or draining the body of a refused request; return whether to close the connection."""
    stream: Any = request.stream
    if not getattr(stream, "request_body", None):
        return False
    if not _is_native(stream):
        return _long(request) and _http_1(request)
    stream.expecting_continue = False  # or "100 Continue" would stand in front of the refusal (RFC 9110 section 10.1.1)
    stream.request_max_size = _MAX_DRAINED
    if stream.request_body == "chunked" or (stream.request_bytes or 0) > _MAX_DRAINED:
        stream.keep_alive = False
        return True
    return False


def _is_native(stream: Any) -> bool:
    """Whether Sanic itself reads the body from the connection, and counts it."""
    return hasattr(stream, "request_bytes")


def _long(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return "transfer-encoding" in request.headers or (length.isdecimal() and int(length[:19]) > _MAX_DRAINED)


def _http_1(request: Request) -> bool:
    """Whether a `Connection` header means something (RFC 9113 section 8.2.2 forbids it in HTTP/2)."""
    scope = getattr(request.transport, "scope", None) or {}
    return scope.get("type") == "http" and str(scope.get("http_version", "")).startswith("1")


async def receive_body(request: Request) -> None:
    """Read the body, as Sanic would have done before the middleware."""
    stream: Any = request.stream
    if stream is not None and stream.request_body and not request.body:
        await request.receive_body()  # type: ignore[no-untyped-call]


async def receive_short_body(request: Request) -> None:
    """The same for a request that should have none: Sanic refuses more than a little by 413."""
    stream: Any = request.stream
    if _is_native(stream):
        stream.request_max_size = min(stream.request_max_size, _MAX_DRAINED)
    await receive_body(request)


def stream_body(request: Request) -> None:
    """Leave the body to a streaming handler, of whatever length, as Sanic would have done before the middleware."""
    stream: Any = request.stream
    if stream is not None and stream.request_body and _is_native(stream):
        stream.request_max_size = math.inf
