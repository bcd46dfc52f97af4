"""The guard of a stream on grpc.aio: it ends the handler when the token ends, and never while a message is written.

Rules of this file:
- The handler's task is cancelled only while it waits for the handler, never inside a write: an interrupted first write
  leaves the call without a status forever (grpc sends the initial metadata twice), and a cancelled task sends none.
- Our own cancellation is distinguished from the caller's by `Task.uncancel`, as in `asyncio.timeout`.
- The cancellation is issued from a callback of the loop, so never by the task itself, where it would take effect later
  and elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc.aio

from bearward.errors import AuthError
from bearward.principal import Principal
from bearward.watches import Watch

__all__ = ["Guard", "GuardedContext", "StreamEndedError"]

T = TypeVar("T")


class StreamEndedError(Exception):
    """The token of this stream has ended."""


class Guard:
    """One stream, tied to its token. Made in the task that serves the call."""

    __slots__ = ("_all_written", "_before", "_interrupted", "_loop", "_task", "_writes", "ended", "waiting", "watch")

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is guarded from within its own task")
        self._task = task
        self._loop = task.get_loop()
        self._before = task.cancelling()
        self.waiting: bool = False  # for the handler; only then may it be interrupted
        self._interrupted = False
        self._writes = 0
        self._all_written: asyncio.Future[None] | None = None
        self.ended: AuthError | None = None
        self.watch: Watch | None = None

    def end(self, error: AuthError) -> None:
        """The token has ended: called once, on the loop, by the watch."""
        self.ended = error
        self._loop.call_soon(self._interrupt)

    def extend(self, principal: Principal) -> None:
        """Go on under this token."""
        if self.watch is not None:
            self.watch.extend(principal)

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait for the handler; raises `StreamEndedError` when the token ends first."""
        self.waiting = True
        try:
            result = await awaitable
        except BaseException as error:
            self.raise_if_ended_by(error)
            raise
        self.waiting = False
        self.raise_if_ended()
        return result

    def raise_if_ended(self) -> None:
        """After the handler handed over: raise `StreamEndedError` if the token has ended."""
        if self.ended is not None and not self._cancelled_by_others():
            raise StreamEndedError

    def raise_if_ended_by(self, error: BaseException) -> None:
        """What the handler raised: return if that is its own or the caller's doing, else raise `StreamEndedError`."""
        self.waiting = False
        if self.ended is None or isinstance(error, grpc.aio.AbortError | GeneratorExit | StreamEndedError):
            return
        if not self._cancelled_by_others():
            raise StreamEndedError from error

    async def write(self, awaitable: Awaitable[T]) -> T:
        """Await a write that the handler makes itself; nothing interrupts it, and none begins once the token ended."""
        self._writes += 1
        try:
            return await awaitable
        finally:
            self._writes -= 1
            if self.ended is not None:
                self._loop.call_soon(self._interrupt)
            if self._all_written is not None and not self._all_written.done():
                self._all_written.set_result(None)

    async def wait_for_writes(self) -> None:
        """Wait until no write of the handler's own tasks is under way: an abort must not overtake one."""
        while self._writes:
            self._all_written = self._loop.create_future()
            await self._all_written

    def close(self, _: object = None) -> None:
        """Let go of the token."""
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.close()

    def _interrupt(self) -> None:
        if self.waiting and not self._writes and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    def _cancelled_by_others(self) -> bool:
        if self._interrupted:
            self._interrupted = False
            return self._task.uncancel() > self._before
        return self._task.cancelling() > self._before


class GuardedContext:
    """The servicer context for a handler under guard: grpc's own, but for what must not be interrupted.

    It delegates instead of subclassing: grpc's native context is no instance of `grpc.aio.ServicerContext` either,
    and that class gains abstract methods between releases.
    """

    __slots__ = ("_context", "_guard")

    def __init__(self, context: Any, guard: Guard) -> None:
        self._context = context
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """As grpc's."""
        self._check()
        return await self._context.read()

    async def write(self, message: Any) -> None:
        """As grpc's."""
        self._check()
        await self._guard.write(self._context.write(message))

    async def send_initial_metadata(self, metadata: Any) -> None:
        """As grpc's."""
        self._check()
        await self._guard.write(self._context.send_initial_metadata(metadata))

    async def abort(self, *args: Any, **kwargs: Any) -> None:
        """As grpc's."""
        await self._guard.write(self._context.abort(*args, **kwargs))

    async def abort_with_status(self, status: Any) -> None:
        """As grpc's."""
        await self._guard.write(self._context.abort_with_status(status))

    def _check(self) -> None:
        if self._guard.ended is not None:
            raise asyncio.CancelledError
