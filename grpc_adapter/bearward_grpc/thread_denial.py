"""The denial of a call in a thread: on grpc.server, and for plain `def` handlers.

Rule of this file: stream-stream whatever the method is, for the same reason as on grpc.aio: nothing of the request is
read before the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Never

import grpc

from bearward_grpc.answers import Answer

__all__ = ["abort", "denial"]


def abort(context: Any, answer: Answer) -> Never:
    """End the call with `answer`; raises what `context.abort` raises."""
    context.set_trailing_metadata(answer.trailers)  # abort itself takes no trailers here
    context.abort(answer.code, answer.details)
    raise RuntimeError("context.abort returned")  # it never does


def denial(answer: Answer) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that gives `answer` to any method, reading nothing."""

    def deny(_: object, context: Any) -> Iterator[bytes]:
        abort(context, answer)
        yield b""  # never reached: it makes this a generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(deny)
    return handler
