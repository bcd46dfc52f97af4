"""The denial of a call on grpc.aio: one constant handler per refusal.

Rules of this file: the handler is stream-stream whatever the method is, because grpc reads no request body for that
kind before it runs, and answers empty and waiting streams too. It is an async generator and no coroutine, because
wrappers around it (OpenTelemetry's) iterate over it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from bearward_grpc.answers import Answer

__all__ = ["denial"]


def denial(answer: Answer) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that gives `answer` to any method, reading nothing."""

    async def deny(_: object, context: Any) -> AsyncIterator[bytes]:
        await context.abort(answer.code, answer.details, answer.trailers)
        yield b""  # never reached: it makes this an async generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(deny)
    return handler
