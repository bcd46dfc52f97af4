"""The denial of a call in a thread: on grpc.server, and for plain `def` handlers.

Rule of this file: stream-stream whatever the method is, for the same reason as on grpc.aio: nothing of the request is
read before the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc

from bearward_grpc.status import Answer

__all__ = ["abort", "conclude", "denial"]


def abort(context: Any, answer: Answer) -> None:
    """End the call with `answer`: raises on grpc.server; in a thread of grpc.aio it may return, so return then."""
    context.set_trailing_metadata(answer.trailers)  # abort itself takes no trailers here
    context.abort(answer.code, answer.details)


def conclude(context: Any, answer: Answer) -> None:
    """Set `answer` as the end of a stream of responses; the handler must return then.

    On grpc.aio a thread runs ahead of what is being written for it, and an abort that overtakes the first write leaves
    the call without a status for ever.
    """
    context.set_trailing_metadata(answer.trailers)
    context.set_code(answer.code)
    context.set_details(answer.details)


def denial(answer: Answer) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that gives `answer` to any method, reading nothing."""

    def deny(_: object, context: Any) -> Iterator[bytes]:
        abort(context, answer)
        yield b""  # never reached: it makes this a generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(deny)
    return handler
