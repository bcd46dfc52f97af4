"""Wrappers around handlers that run in a thread, made for one call.

Rules of this file: the form is kept (a function that answers stays one, streams of responses stay generators); the
handler runs where the caller is known (`run` brings the context variables along on grpc.aio, whose executor drops
them); binding and expiry are checked where the handler hands over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bearward.errors import AuthError
from bearward_grpc.answers import Answer, PerRefusal
from bearward_grpc.call import Call
from bearward_grpc.certificates import check_binding
from bearward_grpc.handlers import behaviour_of, with_behaviour
from bearward_grpc.thread_denial import abort
from bearward_grpc.thread_guard import ThreadGuard

__all__ = ["ThreadWrapping"]

Run = Callable[..., Any]
NewGuard = Callable[[Any], ThreadGuard]


class ThreadWrapping:
    """Wraps one handler for one call. `guard` makes the stream's guard from its context; None: streams may go on."""

    def __init__(self, call: Call, answers: PerRefusal[Answer], run: Run, guard: NewGuard | None) -> None:
        self._call = call
        self._answers = answers
        self._run = run
        self._guard = guard

    def wrapped(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """`handler`, served to this call."""
        behaviour = behaviour_of(handler)
        if getattr(behaviour, "experimental_non_blocking", False):
            return with_behaviour(handler, self._pushing(behaviour))
        if handler.response_streaming:
            return with_behaviour(handler, self._streaming(behaviour, request_streaming=handler.request_streaming))
        if handler.request_streaming and self._guard is not None:
            return with_behaviour(handler, self._collecting(behaviour))
        return with_behaviour(handler, self._plain(behaviour))

    def _plain(self, behaviour: Run) -> Run:
        def plain(request: Any, context: Any) -> Any:
            self._check(context)
            return self._run(behaviour, request, context)

        return plain

    def _collecting(self, behaviour: Run) -> Run:
        def collecting(requests: Any, context: Any) -> Any:
            self._check(context)
            guard = self._new_guard(context)
            try:
                answer = self._run(behaviour, guard.checked(requests, self._ender(context)), context)
            finally:
                guard.close()
            if guard.ended is not None:
                self._end(context, guard.ended)
            return answer

        return collecting

    def _streaming(self, behaviour: Run, *, request_streaming: bool) -> Run:
        def streaming(request: Any, context: Any) -> Iterator[Any]:
            self._check(context)
            if self._guard is None:
                yield from self._responses(behaviour, request, context)
                return
            guard = self._new_guard(context)
            try:
                requests = guard.checked(request, self._ender(context)) if request_streaming else request
                for response in self._responses(behaviour, requests, context):
                    if guard.ended is not None:
                        break
                    yield response
            finally:
                guard.close()
            if guard.ended is not None:
                self._end(context, guard.ended)

        return streaming

    def _pushing(self, behaviour: Run) -> Run:
        """The experimental form, of grpcio, which is handed a callback for responses (its health service uses it)."""

        def pushing(request: Any, context: Any, *callback: Any) -> Any:
            self._check(context)
            if self._guard is not None:
                context.add_callback(self._new_guard(context).close)
            return self._run(behaviour, request, context, *callback)

        return pushing

    def _responses(self, behaviour: Run, request: Any, context: Any) -> Iterator[Any]:
        responses = iter(self._run(behaviour, request, context))
        while True:
            try:
                response = self._run(next, responses)
            except StopIteration:
                return
            yield response

    def _new_guard(self, context: Any) -> ThreadGuard:
        if self._guard is None:
            raise RuntimeError("streams of this server are not guarded")
        return self._guard(context)

    def _check(self, context: Any) -> None:
        refused = check_binding(self._call, context)
        if refused is not None:
            self._end(context, refused)

    def _ender(self, context: Any) -> Callable[[AuthError], Any]:
        return lambda error: self._end(context, error)

    def _end(self, context: Any, error: AuthError) -> Any:
        abort(context, self._answers.of(error))
