"""Handlers by their kind: take the behaviour out, put another in.

Rule of this file: only grpc's public factories make handlers, for what else a handler is made of differs by release.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

__all__ = ["behaviour_of", "with_behaviour"]

Behaviour = Callable[..., Any]
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
# grpcio reads these from the behaviour itself: a pool of its own, and a form that pushes its responses.
_MARKS = ("experimental_thread_pool", "experimental_non_blocking", "experimental_non_blocking_iterator")


def behaviour_of(handler: grpc.RpcMethodHandler[Any, Any]) -> Behaviour:
    """The function that serves the method."""
    behaviour: Behaviour = getattr(handler, _NAMES[_kind(handler)])
    return behaviour


def with_behaviour(handler: grpc.RpcMethodHandler[Any, Any], behaviour: Behaviour) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler like `handler` that is served by `behaviour`."""
    for mark in _MARKS:
        value = getattr(behaviour_of(handler), mark, None)
        if value is not None:
            setattr(behaviour, mark, value)
    made: grpc.RpcMethodHandler[Any, Any] = _FACTORIES[_kind(handler)](
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


def _kind(handler: grpc.RpcMethodHandler[Any, Any]) -> tuple[bool, bool]:
    return bool(handler.request_streaming), bool(handler.response_streaming)
