"""`VerifierThread`: a verifier for a program without an event loop.

Rules of this file: one daemon thread runs one loop, and everything in the verifier that fetches, refreshes or uses
timers runs there. Other threads submit work and wait in a way that can be interrupted. A forked process does not have
that thread, whatever it inherited, and starts its own when it first needs one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, UsageError
from bearward.forks import fork_safe, keep_for_parent, on_fork
from bearward.verifier import Verifier

__all__ = ["VerifierThread"]

_LOG: Final = logging.getLogger("bearward.grpc")
_STOP_SECONDS = 30.0

T = TypeVar("T")


class VerifierThread:
    """Runs `verifier` on an event loop in its own thread. Use as a context manager, or `start` and `stop`.

    `start(wait=seconds)` returns when the verifier has started, or after `wait` seconds at the latest; `wait=None` takes
    as long as the verifier's own start, which its issuers' `start` and `start_wait` bound. A forked child that inherits
    one which was started starts its own thread within the first call that needs it.
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier: Verifier = verifier
        self._loop: asyncio.AbstractEventLoop | None = None  # made at the start: who never starts leaves nothing open
        self._thread: threading.Thread | None = None
        self._started: Future[None] | None = None
        self._lock = fork_safe(threading.Lock())
        self._inherited = False
        on_fork(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The verifier's event loop; raises `UsageError` before `start`."""
        if self._loop is None:
            if not self._inherited:
                raise UsageError("the verifier's thread was not started")
            self.start()
        return self._loop  # type: ignore[return-value]

    def start(self, wait: float | None = 0.0) -> None:
        """Start the thread and the verifier; a second call only waits.

        Raises `AuthError` (KEYS_UNAVAILABLE), within `wait` seconds, for an issuer whose keys are required at start.
        If keys are required, wait with `None`: a busy machine may need longer than any fixed time to find them missing.
        """
        with self._lock:
            if self._started is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(loop,), name="bearward-verifier", daemon=True)
                self._thread.start()
                self._loop = loop
                self._started = asyncio.run_coroutine_threadsafe(self._warm_up(), loop)
        if wait is None or wait > 0:
            with contextlib.suppress(TimeoutError):  # the keys are fetched when the first token asks for them
                self._started.result(wait)

    def stop(self) -> None:
        """Close the verifier and end the thread. Calls under way that need keys are refused."""
        with self._lock:
            if self._started is None or self._thread is None or self._loop is None or self._loop.is_closed():
                return
            asyncio.run_coroutine_threadsafe(self.verifier.aclose(), self._loop).result(_STOP_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_SECONDS)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop; the result is waited for in the calling thread. Raises `UsageError` before `start` and after `stop`."""
        try:
            loop = self.loop
        except UsageError:
            work.close()
            raise
        try:
            return asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError as error:
            work.close()
            raise UsageError("the verifier's thread is not running") from error

    def __enter__(self) -> Self:
        self.start(wait=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _warm_up(self) -> None:
        try:
            await self.verifier.start()
        except AuthError:
            raise  # the keys of an issuer are required at startup; the waiting thread gets the error
        except Exception as error:  # noqa: BLE001  (a call that needs keys will say so to its caller)
            report_bug(_LOG, "the verifier did not start", error)

    def forget_parent(self) -> None:
        """In a forked child: the thread and the loop are the parent's."""
        if self._loop is not None and not self._loop.is_closed():
            keep_for_parent(self._loop, self._started)
            self._inherited = True
            self._loop, self._thread, self._started = None, None, None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
