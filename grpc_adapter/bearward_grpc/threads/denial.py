"""The refusal of a call in a thread: on grpc.server, and for plain `def` handlers.

Rule of this file: stream-stream whatever the method is, for the same reason as on grpc.aio: none of the request is read
before the status is sent. Only if another interceptor receives the handler is it of the method's own kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bearward_grpc.rpc_handlers import ANY_KIND, MethodKind, handler_of_kind
from bearward_grpc.status import CallStatus

__all__ = ["abort", "denial", "denial_of_kind", "end_stream_with"]


def abort(context: Any, status: CallStatus) -> None:
    """End the call with `status`: raises on grpc.server; in a thread of grpc.aio it may return, so return then."""
    context.set_trailing_metadata(status.trailers_for(context))  # abort itself takes no trailers here
    context.abort(status.code, status.details)


def end_stream_with(context: Any, status: CallStatus) -> None:
    """Set `status` as the end of a stream of responses; the handler must return then.

    On grpc.aio a thread runs ahead of what is being written for it, and an abort that overtakes the first write leaves
    the call without a status forever.
    """
    context.set_trailing_metadata(status.trailers_for(context))
    context.set_code(status.code)
    context.set_details(status.details)


def denial(status: CallStatus) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that ends a call of any method with `status`, reading nothing."""
    return denial_of_kind(status, ANY_KIND)


def denial_of_kind(
    status: CallStatus, kind: MethodKind, before: Callable[[], None] | None = None
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that ends a call of a method of `kind` with `status`, after `before`; it may read one message."""

    def deny(_: object, context: Any) -> None:
        if before is not None:
            before()
        abort(context, status)

    def deny_stream(_: object, context: Any) -> Iterator[bytes]:
        deny(_, context)
        yield b""  # never reached: it makes this a generator

    return handler_of_kind(kind, deny_stream if kind.response_streaming else deny)
