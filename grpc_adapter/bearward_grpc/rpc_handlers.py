"""Handlers by their kind: take the behavior out, put another in.

Rule of this file: only grpc's public factories make handlers, for what else a handler is made of differs by release.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

__all__ = ["behavior_of", "with_behavior"]

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
# grpcio reads these from the behavior itself: a pool of its own, and a form that pushes its responses.
_MARKS = ("experimental_thread_pool", "experimental_non_blocking", "experimental_non_blocking_iterator")


def behavior_of(handler: grpc.RpcMethodHandler[Any, Any]) -> Behavior:
    """The function that serves the method."""
    behavior: Behavior = getattr(handler, _NAMES[_kind(handler)])
    return behavior


def with_behavior(handler: grpc.RpcMethodHandler[Any, Any], behavior: Behavior) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler like `handler` that is served by `behavior`."""
    for mark in _MARKS:
        value = getattr(behavior_of(handler), mark, None)
        if value is not None:
            setattr(behavior, mark, value)
    made: grpc.RpcMethodHandler[Any, Any] = _FACTORIES[_kind(handler)](
        behavior,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


def _kind(handler: grpc.RpcMethodHandler[Any, Any]) -> tuple[bool, bool]:
    return bool(handler.request_streaming), bool(handler.response_streaming)
