"""Serves a handler of any kind over the octets of a stream-stream call, as grpc.server itself would have.

Rule of this file: errors have grpc's own status and text.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

from bearward.bug_reports import report_bug
from bearward_grpc.rpc_handlers import behavior_of

__all__ = ["serve"]

_LOG: Final = logging.getLogger("bearward.grpc")

_NOTHING = object()


def serve(handler: grpc.RpcMethodHandler[Any, Any] | None, raw: Iterator[bytes], context: Any) -> Iterator[bytes]:
    """Serve `handler` over the raw messages of a stream-stream call."""
    if handler is None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        return
    decode, encode = handler.request_deserializer or _same, handler.response_serializer or _same
    request: Any = _decoded(raw, decode, context)
    if not handler.request_streaming:
        request = next(request, _NOTHING)
        if request is _NOTHING:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method requires exactly one request message.")
    for response in _responses(handler, request, context):
        yield _translated(encode, response, context, "Failed to serialize response!")


def _responses(handler: grpc.RpcMethodHandler[Any, Any], request: Any, context: Any) -> Iterator[Any]:
    behavior = behavior_of(handler)
    if getattr(behavior, "experimental_non_blocking", False):
        yield from _pushed(behavior, request, context)
    elif handler.response_streaming:
        yield from behavior(request, context)
    else:
        yield behavior(request, context)


def _pushed(behavior: Callable[..., Any], request: Any, context: Any) -> Iterator[Any]:
    """The responses of a handler in grpc's experimental form, which pushes them; None is its end."""
    pushed: queue.SimpleQueue[Any] = queue.SimpleQueue()
    if context.add_callback(lambda: pushed.put(None)):  # the caller has gone
        behavior(request, context, pushed.put)
        yield from iter(pushed.get, None)


def _decoded(raw: Iterator[bytes], decode: Callable[[bytes], Any], context: Any) -> Iterator[Any]:
    for message in raw:
        yield _translated(decode, message, context, "Exception deserializing request!")


def _translated(translate: Callable[[Any], Any], message: Any, context: Any, failure: str) -> Any:
    try:
        return translate(message)
    except Exception as error:  # noqa: BLE001  (as grpc itself: its text is not the caller's business)
        report_bug(_LOG, failure, error)
    return context.abort(grpc.StatusCode.INTERNAL, failure)


def _same(message: Any) -> Any:
    return message
