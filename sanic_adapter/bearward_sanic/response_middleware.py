"""Response middleware on refusals: it may decorate and encode a refusal, but not turn it into anything else.

Rules of this file: status, challenge and cache headers stay. Each middleware sees a response whose headers match its
body: if one changes the body to anything but an encoding of it (RFC 9110 section 8.4), everything it did is undone, so
that a later one that compresses or signs works on what is sent. A middleware that looks for what its request half put
on `request.ctx` is skipped, since no request middleware of the application runs before a refusal.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Callable, Iterable
from inspect import isawaitable
from typing import Any, Final, NamedTuple

from sanic import HTTPResponse, Request

from bearward.bug_reports import report_bug

__all__ = ["KEPT_HEADERS", "run_response_middleware"]

_LOG: Final = logging.getLogger("bearward.sanic")

KEPT_HEADERS: Final = ("www-authenticate", "cache-control", "retry-after", "connection", "dpop-nonce")
"""Headers of a refusal that no other code may remove."""

_DECODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
_MAX_REPORTED: Final = 64
_reported: set[int] = set()


class _Before(NamedTuple):
    """A response before a middleware."""

    status: int
    body: bytes | None
    content_type: str | None
    headers: Any


async def run_response_middleware(
    request: Request, response: HTTPResponse, middleware: Iterable[Callable[..., Any]]
) -> None:
    """Run `middleware` on a refusal; what it returns, and what it does beyond decorating, is left out."""
    for run in middleware:
        before = _Before(response.status, response.body, response.content_type, response.headers.copy())
        try:
            returned = run(request, response)
            if isawaitable(returned):
                await returned
        except Exception as bug:  # noqa: BLE001  (as Sanic does: logged, and the response goes out)
            if not _misses_its_request_half(request, bug):
                _report_once(run, bug)
        _keep_refusal(response, before)


def _keep_refusal(response: HTTPResponse, before: _Before) -> None:
    response.status = before.status
    if response.body != before.body and not _is_encoding(response, before):
        response.body, response.content_type = before.body, before.content_type
        response.headers.clear()
        response.headers.extend(before.headers)
    for name in KEPT_HEADERS:
        if name in before.headers:
            response.headers[name] = before.headers[name]


def _is_encoding(response: HTTPResponse, before: _Before) -> bool:
    """Whether the new body is the former one under the content coding that the headers name."""
    decode = _DECODERS.get(str(response.headers.get("content-encoding", "")).strip().lower())
    if decode is None or "content-encoding" in before.headers or not isinstance(response.body, bytes):
        return False
    try:
        return decode(response.body) == before.body
    except (OSError, EOFError, zlib.error):
        return False


def _misses_its_request_half(request: Request, bug: Exception) -> bool:
    return isinstance(bug, AttributeError) and bug.obj is request.ctx


def _report_once(middleware: Callable[..., Any], bug: Exception) -> None:
    """Anonymous callers cause refusals: they must not fill the log with them."""
    function = getattr(middleware, "func", middleware)
    if id(function) not in _reported and len(_reported) < _MAX_REPORTED:
        _reported.add(id(function))
        report_bug(_LOG, "a response middleware failed on a refusal (logged once)", bug)
