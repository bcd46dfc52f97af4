"""What stands around the handlers of a grpc.aio server.

Rules of this file: grpc.aio tells handlers apart by their form (`inspect.iscoroutinefunction`, `isasyncgenfunction`),
so a wrapper keeps it, and is made once per handler; only for plain `def` handlers, which run in a thread, one is made
per call. An `AuthError` that leaves a handler is answered like any other refusal.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, Refusal
from bearward_grpc.aio.blocking_handlers import threaded
from bearward_grpc.aio.stream_guard import Guard, GuardedContext, StreamEndedError
from bearward_grpc.call import CALL
from bearward_grpc.certificates import check_binding
from bearward_grpc.gate import Gate
from bearward_grpc.rpc_handlers import behaviour_of, with_behaviour
from bearward_grpc.status import Answer, PerRefusal

__all__ = ["Wrapping"]

_LOG: Final = logging.getLogger("bearward.grpc")

_MAX_KEPT = 4096  # servers with generic handlers may make names up as they go
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic
Behaviour = Callable[..., Any]


class Wrapping:
    """Wraps handlers for one interceptor."""

    def __init__(self, answers: PerRefusal[Answer], gate: Gate) -> None:
        self._terminate = gate.streams.terminate
        self._bound = gate.certificate_bound  # else no bound token comes as far as here
        self._answers = answers
        self._kept: dict[str, tuple[Any, Handler[Any, Any]]] = {}

    def wrapped(self, method: str, handler: Handler[Any, Any]) -> Handler[Any, Any]:
        """`handler` as it must be served to the current call."""
        call = CALL.get()
        if call is None:
            return handler
        kept = self._kept.get(method)
        if kept is not None and kept[0] is handler:
            return kept[1]
        behaviour = behaviour_of(handler)
        guarded = self._terminate and bool(handler.request_streaming or handler.response_streaming)
        if inspect.isasyncgenfunction(behaviour):
            made = with_behaviour(handler, self._generator(behaviour, guarded=guarded))
        elif inspect.iscoroutinefunction(behaviour):
            made = with_behaviour(handler, self._guarded(behaviour) if guarded else self._plain(behaviour))
        else:
            return threaded(handler, call, self._answers, guarded=guarded)
        if len(self._kept) < _MAX_KEPT:
            self._kept[method] = (handler, made)
        return made

    def _plain(self, behaviour: Behaviour) -> Behaviour:
        bound = self._bound

        async def plain(request: Any, context: Any) -> Any:
            try:
                if bound:
                    check_binding(CALL.get(), context)
                return await behaviour(request, context)
            except AuthError as error:
                refused = error
            return await self._abort(context, refused)

        return plain

    def _guarded(self, behaviour: Behaviour) -> Behaviour:
        async def guarded(request: Any, context: Any) -> Any:
            guard = Guard()
            try:
                _begin(guard, context)
                return await guard.wait(behaviour(request, GuardedContext(context, guard)))
            except StreamEndedError:
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                guard.close()
            await guard.quiet()
            return await self._abort(context, refused)

        return guarded

    def _generator(self, behaviour: Behaviour, *, guarded: bool) -> Behaviour:
        async def generator(request: Any, context: Any) -> AsyncIterator[Any]:
            guard = Guard()
            responses: Any = None
            refused: AuthError | None
            try:
                _begin(guard, context, watch=guarded)
                responses = behaviour(request, GuardedContext(context, guard) if guarded else context)
                guard.waiting = True
                try:
                    async for response in responses:
                        guard.waiting = False
                        if guard.ended is not None:
                            guard.look()
                        yield response
                        if guard.ended is not None:
                            guard.look()
                        guard.waiting = True
                except BaseException as error:
                    guard.judge(error)
                    raise
                guard.waiting = False
                guard.look()
                return
            except StreamEndedError:
                refused = guard.ended
            except AuthError as error:
                refused = error
            finally:
                guard.close()
                await _closed(responses)
            await guard.quiet()
            await self._abort(context, refused)

        return generator

    async def _abort(self, context: Any, error: AuthError | None) -> None:
        answer = self._answers.of(error or AuthError(Refusal.INTERNAL_ERROR))
        await context.abort(answer.code, answer.details, answer.trailers)


def _begin(guard: Guard, context: Any, *, watch: bool = True) -> None:
    """Check the binding and tie the stream to its token; raises `AuthError` if there is nothing to begin."""
    call = CALL.get()
    check_binding(call, context)
    if call is None or not watch:
        return
    gate = call.gate
    guard.watch = gate.verifier.watch(call.principal, guard.end, leeway=gate.streams.leeway)
    call.guard = guard
    context.add_done_callback(guard.close)  # a dropped generator is closed only when it is collected
    guard.watch.look()  # the token may have been revoked since it was verified
    if guard.ended is not None:
        raise guard.ended


async def _closed(responses: Any) -> None:
    try:
        if responses is not None:
            await responses.aclose()
    except Exception as error:  # noqa: BLE001  (the handler's clean-up must not cost the caller the status)
        report_bug(_LOG, "a handler's clean-up failed while its stream was ended", error)
