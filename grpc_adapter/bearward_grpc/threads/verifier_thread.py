"""`VerifierThread`: a verifier for a program without an event loop.

Rules of this file: one daemon thread runs one loop, and everything of the verifier that fetches, refreshes or keeps
time runs there. Other threads hand work over and wait with a way out.
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
from bearward.verifier import Verifier

__all__ = ["VerifierThread"]

_LOG: Final = logging.getLogger("bearward.grpc")

T = TypeVar("T")


class VerifierThread:
    """Runs `verifier` on an event loop in a thread of its own. Use as a context manager, or `start` and `stop`.

    `start(wait=seconds)` returns when the verifier has started, or after `wait` seconds at the latest; `wait=None` takes
    as long as the verifier's own start, which its issuers' `start` and `start_wait` bound.
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier: Verifier = verifier
        self._loop: asyncio.AbstractEventLoop | None = None  # made at the start: who never starts leaves nothing open
        self._thread = threading.Thread(target=self._run, name="bearward-verifier", daemon=True)
        self._started: Future[None] | None = None
        self._lock = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The verifier's event loop; raises `UsageError` before `start`."""
        if self._loop is None:
            raise UsageError("the verifier's thread was not started")
        return self._loop

    def start(self, wait: float | None = 0.0) -> None:
        """Start the thread and the verifier; a second call only waits.

        Raises `AuthError` (KEYS_UNAVAILABLE), within `wait` seconds, for an issuer whose keys are required at start.
        Whoever requires keys waits with `None`: a busy machine may need longer than any number says to find them missing.
        """
        with self._lock:
            if self._started is None:
                self._loop = asyncio.new_event_loop()
                self._thread.start()
                self._started = self.submit(self._warm_up())
        if wait is None or wait > 0:
            with contextlib.suppress(TimeoutError):  # the keys are fetched when the first token asks for them
                self._started.result(wait)

    def stop(self) -> None:
        """Close the verifier and end the thread. Calls under way that need keys are refused."""
        with self._lock:
            if self._started is None or self._loop is None or self._loop.is_closed():
                return
            self.submit(self.verifier.aclose()).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop; the result is waited for in the calling thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

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
            raise  # the keys of an issuer are required at start; whoever waits is told
        except Exception as error:  # noqa: BLE001  (a call that needs keys will say so to its caller)
            report_bug(_LOG, "the verifier did not start", error)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
