"""Calls of grpc.server that held keys do not suffice to decide, or whose rule has a check that must be awaited.

Rules of this file: the polling thread of grpc.server must never wait, because every connection and every stream waits
with it; and no worker waits either, or forged tokens that name unknown keys could occupy the whole pool. So the call is
served by a stream-stream handler that delivers its responses through a callback (grpc's experimental form): none of the
request is read, no thread waits, and the number of waiting calls is bounded: that of strangers, who wait for keys, and
that of verified callers, who share their places fairly. Once the token is verified the real handler runs in `pool`, as
grpc would have run it. Only if another interceptor receives the handler is it of the method's own kind and waits in a
worker: then few strangers may do so at a time, and verified callers as many as the pool has workers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final

import grpc

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, AwaitNeededError, CheckNeededError, UsageError
from bearward.refusals import Refusal
from bearward_grpc.call import CALL, Call
from bearward_grpc.gate import Gate
from bearward_grpc.rpc_handlers import ANY_KIND, MethodKind, behavior_of, handler_of_kind
from bearward_grpc.status import CallStatus, RefusalCache
from bearward_grpc.threads.denial import abort, end_stream_with
from bearward_grpc.threads.fair_places import FairPlaces, caller_of
from bearward_grpc.threads.raw_calls import serve
from bearward_grpc.threads.verifier_thread import VerifierThread

__all__ = ["DeferredCalls"]

_LOG: Final = logging.getLogger("bearward.grpc")
_MAX_WAITING = 1024
_MAX_VERIFIED = 3 * _MAX_WAITING  # so that one caller alone may have as many calls wait as strangers may
_MAX_BLOCKED = 2  # workers that may wait for keys where an interceptor outside of ours makes them
_WORKERS = 32  # threads that serve verified calls, where the server's own pool was not given
_RETRY_SECONDS = 1.0

Find = Callable[[], Any]
Wrap = Callable[[Any, Call], Any]


class DeferredCalls:
    """What serves calls once what they need was awaited."""

    def __init__(
        self,
        background: VerifierThread,
        gate: Gate,
        statuses: RefusalCache[CallStatus],
        wrap: Wrap,
        pool: ThreadPoolExecutor | None,
    ) -> None:
        self._background = background
        self._gate = gate
        self._statuses = statuses
        self._wrap = wrap
        self._pool = pool or ThreadPoolExecutor(_WORKERS, thread_name_prefix="bearward-deferred")
        self._waiting = _Places(_MAX_WAITING)
        self._verified = FairPlaces(_MAX_VERIFIED)
        self._blocked = _Places(_MAX_BLOCKED)

    def handler(
        self, find: Find, details: grpc.HandlerCallDetails, needed: AwaitNeededError
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """A handler that waits without a thread, then serves what `find` returns."""

        def waiting(raw: Iterator[bytes], context: Any, send: Callable[[Any], None]) -> None:
            self._start(needed, context, _Response(self, find, raw, context, send, details=details))

        waiting.experimental_non_blocking = True  # type: ignore[attr-defined]
        return handler_of_kind(ANY_KIND, waiting)

    def handler_of_kind(
        self, find: Find, details: grpc.HandlerCallDetails, needed: AwaitNeededError, kind: MethodKind
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """A handler of the method's own kind, which waits in a worker of the server's pool."""

        def unary(request: Any, context: Any) -> Any:
            handler = self._wait(find, details, needed, context)
            return None if handler is None else behavior_of(handler)(request, context)

        def stream(request: Any, context: Any) -> Iterator[Any]:
            handler = self._wait(find, details, needed, context)
            if handler is not None:
                yield from behavior_of(handler)(request, context)

        return handler_of_kind(kind, stream if kind.response_streaming else unary)

    def _start(self, needed: AwaitNeededError, context: Any, response: _Response) -> None:
        give_back = self._place_for(needed, self._waiting)
        if give_back is None:
            response.refuse(_unavailable(needed))
            return
        try:
            admitted = self._admit(response.details, needed)
        except AuthError as refused:
            give_back()
            response.refuse(refused)
            return
        except BaseException:
            give_back()
            raise
        admitted.add_done_callback(lambda _: give_back())
        admitted.add_done_callback(response.go_on)
        if not context.add_callback(admitted.cancel):
            admitted.cancel()  # the caller has gone

    def _wait(self, find: Find, details: grpc.HandlerCallDetails, needed: AwaitNeededError, context: Any) -> Any:
        """The handler, once the call was admitted; ends the call, and returns None, where it is refused."""
        try:
            call = self._wait_for_call(details, needed, context)
            CALL.set(call)
            return self._find(find, call)
        except AuthError as error:
            refused = error
        abort(context, self.status_for(refused, details))
        return None

    def _wait_for_call(self, details: grpc.HandlerCallDetails, needed: AwaitNeededError, context: Any) -> Call:
        give_back = self._place_for(needed, self._blocked)  # strangers must not occupy the workers
        if give_back is None:
            raise _unavailable(needed)
        try:
            admitted = self._admit(details, needed)
            if not context.add_callback(admitted.cancel):
                admitted.cancel()  # the caller has gone
            return _call_of(admitted)
        finally:
            give_back()

    def _place_for(self, needed: AwaitNeededError, strangers: _Places) -> Callable[[], None] | None:
        """Take a place for a call; returns what gives it back, None if there is no place."""
        if not needed.is_verified:
            return strangers.give_back if strangers.take() else None
        caller = caller_of(needed.principal)
        return partial(self._verified.give_back, caller) if self._verified.take(caller) else None

    def _admit(self, details: grpc.HandlerCallDetails, needed: AwaitNeededError) -> Future[Call]:
        try:
            return self._background.submit(self._gate.admit(details.method, details.invocation_metadata, needed))
        except UsageError:  # the verifier was stopped before the server
            raise _unavailable(needed) from None

    def serve(self, call: Call, response: _Response) -> None:
        """Run the real handler of a verified call in the pool."""
        context = copy_context()
        call.queued_at = self._gate.verifier.monotonic()
        try:
            self._pool.submit(context.run, self._work, call, response)
        except RuntimeError:  # the pool was shut down, and the server with it
            response.refuse(AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=_RETRY_SECONDS))

    def _work(self, call: Call, response: _Response) -> None:
        CALL.set(call)
        try:
            handler = self._find(response.find, call)
        except AuthError as refused:
            response.refuse(refused)
        else:
            response.send_all(serve(handler, response.raw, response.context))

    def _find(self, find: Find, call: Call) -> Any:
        """The handler, looked up for a verified call; raises `AuthError`."""
        try:
            return self._wrap(find(), call)
        except AuthError:
            raise
        except Exception as error:  # noqa: BLE001  (of an interceptor inside of ours; grpc would send its text)
            report_bug(_LOG, "a bug while a call was authenticated", error)
        raise AuthError(Refusal.INTERNAL_ERROR)

    def status_for(self, refused: AuthError, details: grpc.HandlerCallDetails) -> CallStatus:
        """What the caller of this call sees of `refused`, which is reported."""
        annotate = self._gate.report_refused(refused, details.method, details.invocation_metadata)
        if annotate is not None:
            annotate()
        return self._statuses.get(refused)


class _Response:
    """What one waiting call will be answered with: `find` looks up its handler, `send` is grpc's callback."""

    def __init__(
        self,
        owner: DeferredCalls,
        find: Find,
        raw: Iterator[bytes],
        context: Any,
        send: Any,
        *,
        details: grpc.HandlerCallDetails,
    ) -> None:
        self._owner = owner
        self.details = details
        self._send = send
        self.find = find
        self.raw = raw
        self.context = context

    def go_on(self, admitted: Future[Call]) -> None:
        """Called when the token was verified or refused, or when the caller has gone; on whatever thread that is."""
        try:
            call = _call_of(admitted)
        except AuthError as refused:
            self.refuse(refused)
        else:
            self._owner.serve(call, self)

    def refuse(self, refused: AuthError) -> None:
        """End the call."""
        end_stream_with(self.context, self._owner.status_for(refused, self.details))
        self._send(None)

    def send_all(self, responses: Iterator[bytes]) -> None:
        """Send what the handler responds with, and then the status, as grpc does for handlers that it runs itself."""
        try:
            for response in responses:
                self._send(response)
                if not self.context.is_active():
                    break
        except Exception as error:  # noqa: BLE001  (whatever the handler raises must end in a status)
            self._fail(error)
        self._send(None)

    def _fail(self, error: Exception) -> None:
        aborted = type(error) is Exception and not error.args and self.context.code() is not None
        if aborted or (isinstance(error, grpc.RpcError) and not self.context.is_active()):
            return  # its own status is set, or no caller waits for one any more
        _LOG.error("a handler failed", exc_info=error)
        if self.context.code() is None:
            self.context.set_code(grpc.StatusCode.UNKNOWN)
        if not self.context.details():
            self.context.set_details(f"Exception calling application: {error}")  # grpc's own words


class _Places:
    """A number of places, taken and given back by any thread."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)

    def take(self) -> bool:
        """Take a place; False if none is free."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """Give a place back."""
        self._free.release()


def _call_of(admitted: Future[Call]) -> Call:
    """The call, once it was admitted; raises `AuthError`."""
    try:
        return admitted.result()
    except AuthError:
        raise
    except CancelledError:
        raise AuthError(Refusal.KEYS_UNAVAILABLE) from None
    except Exception as error:  # noqa: BLE001  (grpc would send its text to the caller)
        report_bug(_LOG, "a bug while a call was authenticated", error)
    raise AuthError(Refusal.INTERNAL_ERROR)  # a new one: one that is raised twice keeps both tracebacks


def _unavailable(needed: AwaitNeededError) -> AuthError:
    """The refusal of a call that may not wait."""
    is_check = isinstance(needed, CheckNeededError)
    return AuthError(Refusal.CHECK_UNAVAILABLE if is_check else Refusal.KEYS_UNAVAILABLE, retry_after=_RETRY_SECONDS)
