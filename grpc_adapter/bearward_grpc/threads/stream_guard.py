"""The guard of a stream whose handler runs in a thread: on grpc.server, and plain `def` handlers on grpc.aio.

Rules of this file: a thread cannot be interrupted. The guard is consulted before each response and around each request
item, where the call can be ended with UNAUTHENTICATED; a handler that is blocked elsewhere is given a moment, then the
call is cancelled (the caller sees CANCELLED, which is all that grpc's public interface can do from outside). The core's
watch lives on an event loop, so everything that touches it is marshalled there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from bearward.errors import AuthError
from bearward.principal import Principal
from bearward_grpc.call import Call

__all__ = ["ThreadGuard"]


class ThreadGuard:
    """One stream of `principal`, tied to its token.

    `cancel` is called `grace` seconds after the end if the stream is still open. Raises `AuthError` if the token has
    ended already.
    """

    def __init__(
        self,
        call: Call,
        principal: Principal,
        loop: asyncio.AbstractEventLoop,
        cancel: Callable[[], object] | None,
        grace: float,
    ) -> None:
        self.ended: AuthError | None = None
        self._gate = call.gate
        self._call = call
        self._principal = principal
        self._loop = loop
        self._cancel = cancel
        self._grace = grace
        self._watch: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        # The call may have waited for a worker longer than its token lives.
        self._gate.verifier.check_still_valid(principal, leeway=self._gate.streams.leeway)
        self._on_loop(self._start)
        call.guard = self

    def extend(self, principal: Principal) -> None:
        """Watch this token instead; from any thread."""
        self._on_loop(lambda: self._watch is not None and self._watch.extend(principal))

    def close(self) -> None:
        """Let go of the token; from any thread, more than once if need be."""
        self._closed = True
        self._on_loop(self._stop)

    def while_valid(self, items: Iterator[Any]) -> Iterator[Any]:
        """Request items, as long as the token lives; then raises the `AuthError` that ended it, in the handler."""
        while self.ended is None:
            try:
                item = next(items)
            except StopIteration:
                return
            if self.ended is None:
                yield item
        raise self.ended

    def _start(self) -> None:
        if not self._closed:
            # It looks at once by itself: the token may have been revoked since it was verified.
            self._watch = self._gate.verifier.watch(self._principal, self._end, leeway=self._gate.streams.leeway)

    def _end(self, error: AuthError) -> None:
        self.ended = error
        self._gate.report_ended(error, self._call, self._principal)
        if self._cancel is not None:
            self._timer = self._loop.call_later(self._grace, self._cancel)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.close()

    def _on_loop(self, run: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down, and its calls with it
            self._loop.call_soon_threadsafe(run)
