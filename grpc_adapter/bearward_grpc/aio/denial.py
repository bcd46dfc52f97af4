"""The refusal of a call on grpc.aio: one constant handler per refusal.

Rules of this file: the handler is stream-stream whatever the method is, because grpc reads no request body for that
kind before it runs, so it works for empty and idle streams too. It is an async generator and not a coroutine, because
wrappers around it (OpenTelemetry's) iterate over it. It sets the status and ends instead of calling `abort`: the same
on the wire, without the exception and the extra coroutine that make a refusal more expensive than a response. Only if
another interceptor receives the handler is it of the method's own kind, because that interceptor relies on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from bearward_grpc.rpc_handlers import ANY_KIND, MethodKind, handler_of_kind
from bearward_grpc.status import CallStatus

__all__ = ["denial", "denial_of_kind"]


def denial(status: CallStatus) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that ends a call of any method with `status`, reading nothing."""
    return denial_of_kind(status, ANY_KIND)


def denial_of_kind(
    status: CallStatus, kind: MethodKind, before: Callable[[], None] | None = None
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that ends a call of a method of `kind` with `status`, after `before`; it may read one message."""

    async def deny(_: object, context: Any) -> None:
        if before is not None:
            before()
        await context.abort(status.code, status.details, status.trailers_for(context))

    async def deny_stream(_: object, context: Any) -> AsyncIterator[bytes]:
        if before is not None:
            before()
        context.set_code(status.code)
        context.set_details(status.details)
        context.set_trailing_metadata(status.trailers_for(context))
        return
        yield b""  # never reached: it makes this an async generator

    return handler_of_kind(kind, deny_stream if kind.response_streaming else deny)
