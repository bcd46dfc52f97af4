"""The shell: serves a call in the thread pool of grpc.server when its token cannot be judged from held keys.

Rules of this file: the polling thread of grpc.server must never wait, for every connection and every stream waits with
it. So the shell is a stream-stream handler of raw bytes, whatever the method is: it waits for the keys in a worker,
with nothing of the request read, and then serves the real handler as grpc would have.
"""

from __future__ import annotations

import logging
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
    answer = behavior_of(handler)(request, context)
    for response in answer if handler.response_streaming else (answer,):
        yield _translated(encode, response, context, "Failed to serialize response!")


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
