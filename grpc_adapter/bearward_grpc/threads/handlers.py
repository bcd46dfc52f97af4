"""What stands around handlers that run in a thread; made for one call.

Rules of this file: the form is kept (a function that answers stays one, streams of responses stay generators); the
handler runs where the caller is known (`run` brings the context variables along on grpc.aio, whose executor drops
them); binding and expiry are checked where the handler hands over. An `AuthError` that leaves a handler is answered
like any other refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bearward.errors import AuthError
from bearward_grpc.call import Call
from bearward_grpc.certificates import check_binding
from bearward_grpc.rpc_handlers import behaviour_of, with_behaviour
from bearward_grpc.status import Answer, PerRefusal
from bearward_grpc.threads.denial import abort, conclude
from bearward_grpc.threads.stream_guard import ThreadGuard

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
        return with_behaviour(handler, self._answering(behaviour, request_streaming=handler.request_streaming))

    def _answering(self, behaviour: Run, *, request_streaming: bool) -> Run:
        def answering(request: Any, context: Any) -> Any:
            guard: ThreadGuard | None = None
            try:
                check_binding(self._call, context)
                if request_streaming and self._guard is not None:
                    guard = self._guard(context)
                    request = guard.checked(request)
                answer = self._run(behaviour, request, context)
                if guard is None or guard.ended is None:
                    return answer
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                if guard is not None:
                    guard.close()
            abort(context, self._answers.of(refused))
            return None

        return answering

    def _streaming(self, behaviour: Run, *, request_streaming: bool) -> Run:
        def streaming(request: Any, context: Any) -> Iterator[Any]:
            guard: ThreadGuard | None = None
            try:
                check_binding(self._call, context)
                if self._guard is not None:
                    guard = self._guard(context)
                    request = guard.checked(request) if request_streaming else request
                for response in self._responses(behaviour, request, context):
                    if guard is not None and guard.ended is not None:
                        break
                    yield response
                refused = guard.ended if guard is not None else None
            except AuthError as error:
                refused = error
            finally:
                if guard is not None:
                    guard.close()
            if refused is not None:
                conclude(context, self._answers.of(refused))

        return streaming

    def _pushing(self, behaviour: Run) -> Run:
        """The experimental form of grpcio, which is handed a callback for responses (its health service uses it)."""

        def pushing(request: Any, context: Any, *callback: Any) -> Any:
            try:
                check_binding(self._call, context)
                if self._guard is not None:
                    context.add_callback(self._guard(context).close)
                return self._run(behaviour, request, context, *callback)
            except AuthError as error:
                refused = error
            abort(context, self._answers.of(refused))
            return None

        return pushing

    def _responses(self, behaviour: Run, request: Any, context: Any) -> Iterator[Any]:
        responses = iter(self._run(behaviour, request, context))
        while True:
            try:
                response = self._run(next, responses)
            except StopIteration:
                return
            yield response
