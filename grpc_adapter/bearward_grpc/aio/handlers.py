"""The wrappers of handlers on a grpc.aio server.

Rules of this file: grpc.aio distinguishes handlers by their form (`inspect.iscoroutinefunction`, `isasyncgenfunction`),
so a wrapper keeps it, and is created once per handler; only for plain `def` handlers, which run in a thread, one is
created per call. An `AuthError` raised by a handler is a refusal like any other, whoever called.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from copy import copy
from typing import Any, Final

import grpc

from bearward.bug_reports import report_bug
from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward_grpc.aio.blocking_handlers import wrap_blocking_handler
from bearward_grpc.aio.stream_guard import Guard, GuardedContext, StreamEndedError
from bearward_grpc.call import CALL, Call, CallGate
from bearward_grpc.outer_interceptors import runs_us_apart
from bearward_grpc.rpc_handlers import behavior_of, with_behavior
from bearward_grpc.status import CallStatus, RefusalCache

__all__ = ["HandlerWrapper"]

_LOG: Final = logging.getLogger("bearward.grpc")

_MAX_CACHED = 4096  # servers with generic handlers may make names up as they go
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic
Behavior = Callable[..., Any]


class HandlerWrapper:
    """Wraps handlers for one interceptor. With `enters`, the gate is told of each handler that begins."""

    def __init__(self, statuses: RefusalCache[CallStatus], gate: CallGate, *, enters: bool) -> None:
        self._gate = gate
        self._terminate = gate.streams.terminate
        self._enters = enters
        self._statuses = statuses
        self._cache: dict[str, tuple[Any, Handler[Any, Any]]] = {}

    def wrap(self, method: str, handler: Handler[Any, Any], call: Call) -> Handler[Any, Any]:
        """`handler` as it must be served to `call`."""
        wrapped = self._wrapped(method, handler, call)
        return _served_to(wrapped, call) if runs_us_apart() else wrapped

    def _wrapped(self, method: str, handler: Handler[Any, Any], call: Call) -> Handler[Any, Any]:
        cached = self._cache.get(method)
        if cached is not None and cached[0] is handler:
            return cached[1]
        wrapped = self.lasting(handler)
        if wrapped is None:
            guarded = self._guards(handler) and call.principal is not None
            return wrap_blocking_handler(handler, call, self._statuses, guarded=guarded)
        self._gate.operations.record(method)
        if len(self._cache) < _MAX_CACHED:
            self._cache[method] = (handler, wrapped)
        return wrapped

    def lasting(self, handler: Handler[Any, Any]) -> Handler[Any, Any] | None:
        """The wrapper of `handler` for every caller; None if it needs one for each call."""
        streaming, guarded = bool(handler.request_streaming or handler.response_streaming), self._guards(handler)
        behavior = behavior_of(handler)
        if inspect.isasyncgenfunction(behavior):
            return with_behavior(handler, self._generator(behavior, guarded=guarded))
        if inspect.iscoroutinefunction(behavior):
            own = self._writer(behavior, guarded=guarded) if streaming else self._plain(behavior)
            return with_behavior(handler, own)
        return None

    def _guards(self, handler: Handler[Any, Any]) -> bool:
        """Whether a call of `handler`, if its caller is known, must end with its token."""
        return self._terminate and bool(handler.request_streaming or handler.response_streaming)

    def _plain(self, behavior: Behavior) -> Behavior:
        enters = self._enters

        async def plain(request: Any, context: Any) -> Any:
            try:
                if enters:
                    _enter(context)
                return await behavior(request, context)
            except AuthError as error:
                refused = error
            return await self._abort(context, refused)

        return plain

    def _writer(self, behavior: Behavior, *, guarded: bool) -> Behavior:
        """For coroutines that may write by themselves: no abort overtakes what they write, guarded or not."""

        async def writer(request: Any, context: Any) -> Any:
            guard = Guard()
            try:
                _start_guard(guard, context, watch=guarded)
                return await guard.wait(behavior(request, GuardedContext(context, guard)))
            except StreamEndedError:
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                guard.close()
            await guard.wait_for_writes()
            return await self._abort(context, refused)

        return writer

    def _generator(self, behavior: Behavior, *, guarded: bool) -> Behavior:
        async def generator(request: Any, context: Any) -> AsyncIterator[Any]:
            guard = Guard()
            responses: Any = None
            refused: AuthError | None
            try:
                _start_guard(guard, context, watch=guarded)
                responses = behavior(request, GuardedContext(context, guard))
                guard.waiting = True
                try:
                    async for response in responses:
                        guard.waiting = False
                        if guard.ended is not None:
                            guard.raise_if_ended()
                        yield response
                        if guard.ended is not None:
                            guard.raise_if_ended()
                        guard.waiting = True
                except BaseException as error:
                    guard.raise_if_ended_by(error)
                    raise
                guard.waiting = False
                guard.raise_if_ended()
                return
            except StreamEndedError:
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                guard.close()
                await _close(responses)
            await guard.wait_for_writes()
            await self._abort(context, refused)

        return generator

    async def _abort(self, context: Any, error: AuthError | None) -> None:
        refused = copy(error or AuthError(Refusal.INTERNAL_ERROR))  # some handlers raise the same one each time
        self._gate.explain_handler_refused(refused, CALL.get())
        self._gate.report_handler_refused(refused, CALL.get())
        status = self._statuses.get(refused)
        await context.abort(status.code, status.details, status.trailers_for(context))


def _served_to(handler: Handler[Any, Any], call: Call) -> Handler[Any, Any]:
    """`handler` for this call alone, which it sees although it runs in another context than we do."""
    behavior = behavior_of(handler)
    if inspect.isasyncgenfunction(behavior):

        async def generator(request: Any, context: Any) -> AsyncIterator[Any]:
            CALL.set(call)
            async with aclosing(behavior(request, context)) as responses:
                async for response in responses:
                    yield response

        return with_behavior(handler, generator)
    if inspect.iscoroutinefunction(behavior):

        async def coroutine(request: Any, context: Any) -> Any:
            CALL.set(call)
            return await behavior(request, context)

        return with_behavior(handler, coroutine)
    return handler  # a plain function's wrapper was made for this call


def _enter(context: Any) -> None:
    call = CALL.get()
    if call is None:  # whoever lost the call must not have it served unchecked
        raise AuthError(Refusal.INTERNAL_ERROR)
    call.gate.enter(call, context)


def _start_guard(guard: Guard, context: Any, *, watch: bool) -> None:
    """Check the binding and tie the stream to its token; raises `AuthError` if there is nothing to start."""
    _enter(context)
    call = CALL.get()
    if not watch or call is None or call.principal is None:
        return
    gate, principal = call.gate, call.principal

    def end(error: AuthError) -> None:
        gate.report_ended(error, call, call.principal or principal)
        guard.end(error)

    guard.watch = gate.verifier.watch(principal, end, leeway=gate.streams.leeway)
    call.guard = guard
    context.add_done_callback(guard.close)  # a dropped generator is closed only when it is collected
    guard.watch.look()  # the token may have been revoked since it was verified
    if guard.ended is not None:
        raise guard.ended


async def _close(responses: Any) -> None:
    try:
        if responses is not None:
            await responses.aclose()
    except Exception as error:  # noqa: BLE001  (the handler's clean-up must not cost the caller the status)
        report_bug(_LOG, "a handler's clean-up failed while its stream was ended", error)
