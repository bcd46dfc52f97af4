"""The door of a grpc.aio server: what becomes of one call, and the handler that answers it.

Rules of this file: the caller is authenticated before the handler is looked up and before any of the body is read; a
refusal is a constant handler; no exception leaves `intercept`, because grpc would send its text to the caller. It runs in
the call's own task, so the handler sees a context variable that is set here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, AwaitNeededError
from bearward.refusals import Refusal
from bearward_grpc.aio import denial as aio_denial
from bearward_grpc.aio.handlers import HandlerWrapper
from bearward_grpc.call import CALL, Call
from bearward_grpc.gate import Gate
from bearward_grpc.outer_interceptors import awaits_us
from bearward_grpc.rpc_handlers import ANY_KIND, MethodKinds
from bearward_grpc.status import RefusalCache, StatusMapper
from bearward_grpc.threads import denial as thread_denial

__all__ = ["Continuation", "Door", "ready"]

_LOG: Final = logging.getLogger("bearward.grpc")

Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Req, Res] | None"]]


class Door:
    """A gate, and how what it says is answered on a grpc.aio server."""

    def __init__(self, gate: Gate, mapper: StatusMapper) -> None:
        statuses = RefusalCache(mapper.status_for)
        self.gate: Gate = gate
        self.wrapper: HandlerWrapper = HandlerWrapper(
            statuses, gate, enters=gate.certificate_bound or gate.annotated or gate.gives_nonces
        )
        self._admit_cached = gate.admit_cached_and_report if gate.reports else gate.admit_cached
        self._statuses = statuses
        self._kinds = MethodKinds()
        self._denials = RefusalCache(lambda error: ready(aio_denial.denial(statuses.get(error))))
        self._misplaced = thread_denial.denial(statuses.get(AuthError(Refusal.INTERNAL_ERROR)))

    def intercept(
        self,
        continuation: Continuation[Req, Res],
        details: grpc.HandlerCallDetails,
        known: Awaitable[Handler[Req, Res]] | None = None,
    ) -> Awaitable[Handler[Req, Res] | None]:
        """What an interceptor returns; to be called from `intercept_service` itself, whose caller is looked at.

        `known` is done already: the handler of the method, wrapped, where it need not be looked up.

        No coroutine of its own: a caller who is refused costs none, and one that is admitted costs one.
        """
        try:
            get_running_loop()
        except RuntimeError:
            # In a grpc.server the coroutine would be taken for a handler and kill the serving thread.
            _LOG.critical("AuthInterceptor is for grpc.aio.server; give grpc.server a SyncAuthInterceptor")
            return self._misplaced  # type: ignore[return-value]
        try:
            call = self._admit_cached(details.method, details.invocation_metadata)
        except AwaitNeededError as needed:
            CALL.set(None)
            return self._serve(continuation, details, needed)
        except AuthError as error:
            refused = error
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (grpc would send its text to the caller)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        else:
            CALL.set(call)
            return self._serve(continuation, details, call) if known is None else known
        CALL.set(None)  # no caller is inherited from whoever started the server
        annotate = self.gate.report_refused(refused, details.method, details.invocation_metadata)
        if awaits_us(sys._getframe(2)):  # noqa: SLF001  (there is no other way to ask for the caller's frame)
            return self._deny_as_method(continuation, details, refused, annotate)
        return self._denial(refused, annotate)

    async def _serve(
        self,
        continuation: Continuation[Req, Res],
        details: grpc.HandlerCallDetails,
        call: Call | AwaitNeededError,
    ) -> Handler[Req, Res] | None:
        """The handler for `call`; or for what comes of it once what it needs was awaited."""
        try:
            if isinstance(call, AwaitNeededError):
                call = await self.gate.admit(details.method, details.invocation_metadata, call)
                CALL.set(call)
            handler = await continuation(details)
            if handler is None:
                return None
            return self.wrapper.wrap(details.method, handler, call)
        except AuthError as error:
            refused = error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the caller went away
            report_bug(_LOG, "a stray cancellation while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        except Exception as error:  # noqa: BLE001  (grpc would send its text to the caller)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        CALL.set(None)
        annotate = self.gate.report_refused(refused, details.method, details.invocation_metadata)
        if awaits_us(sys._getframe(1)):  # noqa: SLF001
            return await self._deny_as_method(continuation, details, refused, annotate)
        return await self._denial(refused, annotate)

    def _denial(self, refused: AuthError, annotate: Callable[[], None] | None) -> Awaitable[Handler[Any, Any]]:
        if annotate is None:
            return self._denials.get(refused)
        return ready(aio_denial.denial_of_kind(self._statuses.get(refused), ANY_KIND, annotate))

    async def _deny_as_method(
        self,
        continuation: Continuation[Req, Res],
        details: grpc.HandlerCallDetails,
        refused: AuthError,
        annotate: Callable[[], None] | None,
    ) -> Handler[Req, Res]:
        """A refusal in the form of the method, for an interceptor outside of ours; looked up once where it is unknown."""
        kind = self._kinds.get(details.method)
        if kind is None:
            try:
                handler = await continuation(details)
            except Exception as error:  # noqa: BLE001  (of an interceptor inside of ours, for a caller who is refused)
                report_bug(_LOG, "a bug while a refused method was looked up", error)
                handler = None
            if handler is None:
                return await self._denial(refused, annotate)
            kind = self._kinds.record(details.method, handler)
        return aio_denial.denial_of_kind(self._statuses.get(refused), kind, annotate)


def ready(handler: Handler[Any, Any]) -> Awaitable[Handler[Any, Any]]:
    """An awaitable that returns `handler` at once, any number of times, on any loop; a coroutine would cost more."""
    future: asyncio.Future[Handler[Any, Any]] = get_running_loop().create_future()
    future.set_result(handler)
    return future
