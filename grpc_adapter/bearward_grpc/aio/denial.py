"""The denial of a call on grpc.aio: one constant handler per refusal.

Rules of this file: the handler is stream-stream whatever the method is, because grpc reads no request body for that
kind before it runs, and so it serves empty and waiting streams too. It is an async generator and no coroutine, because
wrappers around it (OpenTelemetry's) iterate over it. It sets the status and ends instead of calling `abort`: the same
on the wire, without the exception and the further coroutine that make a refusal dearer than an status.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from bearward_grpc.status import CallStatus

__all__ = ["denial"]


def denial(status: CallStatus) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that ends a call of any method with `status`, reading nothing."""

    async def deny(_: object, context: Any) -> AsyncIterator[bytes]:
        context.set_code(status.code)
        context.set_details(status.details)
        context.set_trailing_metadata(status.trailers)
        return
        yield b""  # never reached: it makes this an async generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(deny)
    return handler
