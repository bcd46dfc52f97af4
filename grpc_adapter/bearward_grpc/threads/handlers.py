"""The wrappers of handlers that run in a thread; created for one call.

Rules of this file: the form is kept (functions stay functions, response streams stay generators); the handler runs
where the caller is known (`run` carries the context variables over on grpc.aio, whose executor drops them); binding and
expiry are checked whenever the handler passes a message, and before it begins if it had to wait for a thread. An
`AuthError` raised by a handler is a refusal like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, Final

import grpc

from bearward.errors import AuthError
from bearward_grpc.call import Call
from bearward_grpc.rpc_handlers import behavior_of, with_behavior
from bearward_grpc.status import CallStatus, RefusalCache
from bearward_grpc.threads.denial import abort, end_stream_with
from bearward_grpc.threads.stream_guard import ThreadGuard

__all__ = ["ThreadHandlerWrapper"]

_MOMENT: Final = 0.1
"""Seconds in which a thread takes a call where one is free."""
Run = Callable[..., Any]
NewGuard = Callable[[Any], ThreadGuard]


class ThreadHandlerWrapper:
    """Wraps one handler for one call. `guard` makes the stream's guard from its context; None: streams may go on."""

    def __init__(self, call: Call, statuses: RefusalCache[CallStatus], run: Run, guard: NewGuard | None) -> None:
        self._call = call
        self._statuses = statuses
        self._run = run
        self._guard = guard
        # The call may now wait for a thread that runs its handler, or has waited for this one.
        self._queued_at = call.gate.verifier.monotonic() if call.queued_at is None else call.queued_at

    def wrap(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """`handler`, served to this call."""
        behavior = behavior_of(handler)
        if getattr(behavior, "experimental_non_blocking", False):
            return with_behavior(handler, self._pushing(behavior))
        if handler.response_streaming:
            return with_behavior(handler, self._streaming(behavior, request_streaming=handler.request_streaming))
        return with_behavior(handler, self._unary(behavior, request_streaming=handler.request_streaming))

    def _unary(self, behavior: Run, *, request_streaming: bool) -> Run:
        def unary(request: Any, context: Any) -> Any:
            guard: ThreadGuard | None = None
            try:
                self._enter(context)
                if request_streaming and self._guard is not None:
                    guard = self._guard(context)
                    request = guard.while_valid(request)
                response = self._run(behavior, request, context)
                if guard is None or guard.ended is None:
                    return response
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                if guard is not None:
                    guard.close()
            abort(context, self._status_for(refused))
            return None

        return unary

    def _streaming(self, behavior: Run, *, request_streaming: bool) -> Run:
        def streaming(request: Any, context: Any) -> Iterator[Any]:
            guard: ThreadGuard | None = None
            try:
                self._enter(context)
                if self._guard is not None:
                    guard = self._guard(context)
                    request = guard.while_valid(request) if request_streaming else request
                for response in self._responses(behavior, request, context):
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
                end_stream_with(context, self._status_for(refused))

        return streaming

    def _pushing(self, behavior: Run) -> Run:
        """The experimental form of grpcio, which is handed a callback for responses (its health service uses it)."""

        def pushing(request: Any, context: Any, *callback: Any) -> Any:
            try:
                self._enter(context)
                if self._guard is not None:
                    guard = self._guard(context)
                    if not context.add_callback(guard.close):  # the caller has gone
                        guard.close()
                        return None
                return self._run(behavior, request, context, *callback)
            except AuthError as error:
                refused = error
            abort(context, self._status_for(refused))
            return None

        return pushing

    def _enter(self, context: Any) -> None:
        call = self._call
        if self._guard is None and call.principal is not None:  # a guard looks by itself
            verifier = call.gate.verifier
            if verifier.monotonic() - self._queued_at > _MOMENT:
                verifier.check_still_valid(call.principal)
        call.gate.enter(call, context)

    def _status_for(self, refused: AuthError) -> CallStatus:
        own, gate = copy(refused), self._call.gate  # some handlers raise the same one each time
        gate.explain_handler_refused(own, self._call)
        gate.report_handler_refused(own, self._call)
        return self._statuses.get(own)

    def _responses(self, behavior: Run, request: Any, context: Any) -> Iterator[Any]:
        responses = iter(self._run(behavior, request, context))
        while True:
            try:
                response = self._run(next, responses)
            except StopIteration:
                return
            yield response
