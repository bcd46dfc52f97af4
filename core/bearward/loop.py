"""What all issuers of one store share: the clock, the event loop, the tasks, and the callback for changes.

Rule of this file: a task belongs to the store, not to the caller that happened to start it, so a caller's
cancellation never reaches it; `aclose` cancels and awaits every task. Any thread may ask for work on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bearward.clock import Clock

__all__ = ["Alarm", "Runtime", "WaitingRoom"]

T = TypeVar("T")

_LOOK_EVERY = 0.05


class Runtime:
    """The store's hold on one event loop."""

    def __init__(self, clock: Clock, random_share: Callable[[], float] | None = None) -> None:
        self.clock = clock
        self.jitter: Callable[[], float] = random_share or random.SystemRandom().random
        self.loop: asyncio.AbstractEventLoop | None = None
        self.newcomers: int = 0
        """Fetches under way for tenants that never had keys."""
        self.on_move: Callable[[], None] = lambda: None
        """Called on a loop that was just taken: what hung on the last one is gone."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._binding = threading.RLock()

    def bind(self) -> bool:
        """Take the running loop, unless another one is bound and runs. Whether the bound one is the running one.

        A loop that is closed, or that nobody runs any more, would keep whoever waits for it for ever.
        """
        running = asyncio.get_running_loop()
        with self._binding:
            moved = self.loop is not running and not (self.loop is not None and self.loop.is_running())
            if moved:
                self.loop = running
        if moved:
            self.on_move()
        return self.loop is running

    async def elsewhere(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await `work()` from another loop than the store's, on which it runs; here, if that one ends meanwhile."""
        loop = self.loop
        if loop is None:
            raise RuntimeError("the store is not started")
        coroutine = work()
        try:
            there = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # closed
            coroutine.close()
            return await work()
        answer = asyncio.wrap_future(there)
        try:
            while not answer.done() and loop.is_running():
                await asyncio.wait((answer,), timeout=_LOOK_EVERY)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        if answer.done() and not answer.cancelled():
            return answer.result()
        await asyncio.sleep(_LOOK_EVERY)  # it is about to end, and has cancelled what ran on it
        return await work()

    def call(self, callback: Callable[[], None]) -> bool:
        """From any thread: run `callback` on the loop. False where there is no loop to run it on."""
        if self.loop is None or not self.loop.is_running():
            return False
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:  # closed
            return False
        return True

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle | None:
        """On the loop, after `delay` seconds; a day at most, the callback looks again."""
        if self.loop is None:
            return None
        return self.loop.call_later(min(max(delay, 0.0), 86_400.0), callback)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task of the store's own. On the loop only."""
        if self.loop is None:
            work.close()
            raise RuntimeError("the store is not started")
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def count_newcomer(self, flight: asyncio.Task[None]) -> None:
        """Count a fetch for a tenant that never had keys, until it ends."""

        def ended(_: asyncio.Task[None]) -> None:
            self.newcomers -= 1

        self.newcomers += 1
        flight.add_done_callback(ended)

    async def aclose(self) -> None:
        """Cancel all tasks, await those that can still end, and let go of the loop."""
        tasks, self._tasks = tuple(self._tasks), set()
        for task in tasks:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                task.cancel()
        here = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in tasks if task.get_loop() is here), return_exceptions=True)
        self.loop = None


class Alarm:
    """Calls `callback` on the store's loop, at one moment at a time."""

    def __init__(self, runtime: Runtime, callback: Callable[[], None]) -> None:
        self._runtime = runtime
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None

    def set(self, delay: float | None) -> None:
        """In `delay` seconds, instead of what was set before; None or infinity for never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None and delay < math.inf:
            self._timer = self._runtime.call_later(delay, self._callback)


class WaitingRoom:
    """At most `most` callers wait at a time."""

    __slots__ = ("_most", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether the next one would be turned away. Any thread may ask."""
        return self._waiting >= self._most

    async def wait_for(self, flight: asyncio.Task[None] | None) -> bool:
        """Wait until it has landed; False at once where there is none, or no room."""
        if flight is None or self.full:
            return False
        self._waiting += 1
        try:
            await asyncio.wait((flight,))  # a cancelled waiter leaves the flight alone
        finally:
            self._waiting -= 1
        return True
