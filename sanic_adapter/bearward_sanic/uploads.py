"""Bodies: refused without being read, or read once the caller is let in.

Rules of this file: only what Sanic itself tells streaming handlers to set, on the request's stream. Under ASGI the
server owns the connection and none of this is needed.
"""

from __future__ import annotations

import math
from typing import Any, Final

from sanic import Request

__all__ = ["DRAINED_AT_MOST", "receive_body", "refuse_body"]

DRAINED_AT_MOST: Final = 64 * 1024
"""Octets of a refused body that are read so that the connection can be kept; a longer one costs the connection."""


def refuse_body(request: Request) -> None:
    """Have Sanic neither ask for nor drain the body of a request that is refused (HTTP/1 natively served)."""
    stream: Any = request.stream
    if not getattr(stream, "request_body", None) or not hasattr(stream, "request_max_size"):
        return
    stream.expecting_continue = False  # or "100 Continue" would stand in front of the refusal (RFC 9110 section 10.1.1)
    stream.request_max_size = DRAINED_AT_MOST
    if stream.request_body == "chunked" or (stream.request_bytes or 0) > DRAINED_AT_MOST:
        stream.keep_alive = False


async def receive_body(request: Request, handler: object) -> None:
    """What Sanic would have done before the middleware: read the body, or leave it to a streaming handler."""
    stream: Any = request.stream
    if stream is None or not stream.request_body or request.body:
        return
    if hasattr(handler, "is_stream"):
        stream.request_max_size = math.inf
    else:
        await request.receive_body()  # type: ignore[no-untyped-call]
