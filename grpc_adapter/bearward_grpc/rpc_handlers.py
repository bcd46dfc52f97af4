"""Handlers by kind: extract the function, replace it, and say of which kind a method is.

Rule of this file: handlers are created only by grpc's public factories, since their other parts differ by release.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import grpc

__all__ = ["ANY_KIND", "MethodKind", "MethodKinds", "behavior_of", "handler_of_kind", "with_behavior"]

Behavior = Callable[..., Any]
_FACTORIES: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
_NAMES = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
# grpcio reads these from the function itself: its own pool, and a form that pushes its responses.
_MARKS = ("experimental_thread_pool", "experimental_non_blocking", "experimental_non_blocking_iterator")
_MAX_KINDS = 4096  # servers with generic handlers may make names up as they go


class MethodKind(NamedTuple):
    """Which of its two directions a method streams, and how its messages are read and written."""

    request_streaming: bool
    response_streaming: bool
    request_deserializer: Callable[[bytes], Any] | None
    response_serializer: Callable[[Any], bytes] | None


ANY_KIND: Final = MethodKind(
    request_streaming=True, response_streaming=True, request_deserializer=None, response_serializer=None
)
"""Serves calls of any method, as octets, and has grpc read nothing of the request beforehand."""


class MethodKinds:
    """The kinds of the methods that were served so far, by full method name."""

    def __init__(self) -> None:
        self._kinds: dict[str, MethodKind] = {}

    def record(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> MethodKind:
        """Remember, and return, the kind of `method`, which is served by `handler`."""
        kind = MethodKind(*_streaming(handler), handler.request_deserializer, handler.response_serializer)
        if len(self._kinds) < _MAX_KINDS or method in self._kinds:
            self._kinds[method] = kind
        return kind

    def get(self, method: str) -> MethodKind | None:
        """The kind of `method`; None if it was never served."""
        return self._kinds.get(method)


def behavior_of(handler: grpc.RpcMethodHandler[Any, Any]) -> Behavior:
    """The function that serves the method."""
    behavior: Behavior = getattr(handler, _NAMES[_streaming(handler)])
    return behavior


def with_behavior(handler: grpc.RpcMethodHandler[Any, Any], behavior: Behavior) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler like `handler` that is served by `behavior`."""
    for mark in _MARKS:
        value = getattr(behavior_of(handler), mark, None)
        if value is not None:
            setattr(behavior, mark, value)
    kind = MethodKind(*_streaming(handler), handler.request_deserializer, handler.response_serializer)
    return handler_of_kind(kind, behavior)


def handler_of_kind(kind: MethodKind, behavior: Behavior) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler for methods of `kind`, served by `behavior`."""
    made: grpc.RpcMethodHandler[Any, Any] = _FACTORIES[kind.request_streaming, kind.response_streaming](
        behavior,
        request_deserializer=kind.request_deserializer,
        response_serializer=kind.response_serializer,
    )
    return made


def _streaming(handler: grpc.RpcMethodHandler[Any, Any]) -> tuple[bool, bool]:
    return bool(handler.request_streaming), bool(handler.response_streaming)
