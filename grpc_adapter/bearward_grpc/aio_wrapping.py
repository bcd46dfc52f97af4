"""Which handlers of a grpc.aio server are wrapped, and what a wrapper does before the handler runs.

Rules of this file: grpc.aio tells handlers apart by their form (`inspect.iscoroutinefunction`, `isasyncgenfunction`),
so a wrapper keeps it. A unary coroutine whose caller's token is bound to nothing is handed on untouched; wrappers of
async handlers are made once per handler; plain `def` handlers run in a thread, where only a wrapper made for the call
brings the caller along.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from bearward.confirmation import is_bound
from bearward.errors import AuthError, Refusal
from bearward_grpc.aio_guard import Guard, GuardedContext, StreamEndedError
from bearward_grpc.aio_threads import threaded
from bearward_grpc.answers import Answer, PerRefusal
from bearward_grpc.call import CALL, Call
from bearward_grpc.certificates import check_binding
from bearward_grpc.gate import Gate
from bearward_grpc.handlers import behaviour_of, with_behaviour
from bearward_grpc.report import report_bug

__all__ = ["Wrapping"]

_MAX_KEPT = 4096  # servers with generic handlers may make names up as they go


class Wrapping:
    """Wraps handlers for one interceptor."""

    def __init__(self, gate: Gate, answers: PerRefusal[Answer]) -> None:
        self._terminate = gate.streams.terminate
        self._answers = answers
        self._kept: dict[str, tuple[Any, grpc.RpcMethodHandler[Any, Any]]] = {}

    def wrapped(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """`handler` as it must be served to the current call."""
        call = CALL.get()
        if call is None:
            return handler
        streaming = self._terminate and (handler.request_streaming or handler.response_streaming)
        kept = self._kept.get(method)
        if kept is not None and kept[0] is handler:
            return kept[1] if streaming or is_bound(call.principal) else handler
        behaviour = behaviour_of(handler)
        if not _is_async(behaviour):
            return threaded(handler, call, self._answers, guarded=streaming)
        if not streaming and not is_bound(call.principal):
            return handler
        made = with_behaviour(handler, self._form_preserving(behaviour, streaming=streaming))
        if len(self._kept) < _MAX_KEPT:
            self._kept[method] = (handler, made)
        return made

    def _form_preserving(self, behaviour: Callable[..., Any], *, streaming: bool) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(behaviour):
            return self._generator(behaviour)
        return self._guarded(behaviour) if streaming else self._bound_only(behaviour)

    def _bound_only(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def bound(request: Any, context: Any) -> Any:
            refused = check_binding(CALL.get(), context)
            if refused is not None:
                await self._abort(context, refused)
            return await behaviour(request, context)

        return bound

    def _guarded(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: Any) -> Any:
            refused, guard = self._begin(context)
            if refused is not None:
                return await self._abort(context, refused)
            try:
                return await guard.wait(behaviour(request, GuardedContext(context, guard)))
            except StreamEndedError:
                await guard.quiet()
                return await self._abort(context, guard.ended)
            finally:
                guard.close()

        return guarded

    def _generator(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
            refused, guard = self._begin(context)
            if refused is not None:
                await self._abort(context, refused)
            responses = behaviour(request, GuardedContext(context, guard))
            try:
                while guard.ended is None:
                    yield await guard.wait(anext(responses))
            except StopAsyncIteration:
                return
            except StreamEndedError:
                pass
            finally:
                guard.close()
                await _closed(responses)
            await guard.quiet()
            await self._abort(context, guard.ended)

        return guarded

    def _begin(self, context: Any) -> tuple[AuthError | None, Guard]:
        """Check the binding and tie the stream to its token."""
        guard = Guard()
        call = CALL.get()
        refused = check_binding(call, context)
        if refused is None and call is not None and self._terminate:
            _watch(call, guard)
            context.add_done_callback(guard.close)  # a dropped generator is closed only when it is collected
            refused = guard.ended
        return refused, guard

    async def _abort(self, context: Any, error: AuthError | None) -> None:
        answer = self._answers.of(error or AuthError(Refusal.INTERNAL_ERROR))
        await context.abort(answer.code, answer.details, answer.trailers)


def _watch(call: Call, guard: Guard) -> None:
    gate = call.gate
    watch = gate.verifier.watch(call.principal, guard.end, leeway=gate.streams.leeway)
    guard.watch = watch
    call.guard = guard
    watch.look()  # the token may have been revoked since it was verified


async def _closed(responses: Any) -> None:
    try:
        await responses.aclose()
    except Exception as error:  # noqa: BLE001  (the handler's clean-up must not cost the caller the status)
        report_bug("a handler's clean-up failed while its stream was ended", error)


def _is_async(behaviour: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour)
