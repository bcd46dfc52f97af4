"""What all issuers of one store share: the clock, the event loop, the tasks, and the callback for changes.

Rule of this file: a task belongs to the store, not to the caller that happened to start it, so a caller's
cancellation never reaches it; `aclose` cancels and awaits every task. Any thread may ask for work on the loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bearward.clock import Clock

__all__ = ["Runtime", "logger"]

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("bearward.jwks")


class Runtime:
    """The store's hold on one event loop."""

    def __init__(self, clock: Clock, random_share: Callable[[], float] | None = None) -> None:
        self.clock = clock
        self.jitter: Callable[[], float] = random_share or random.SystemRandom().random
        self.loop: asyncio.AbstractEventLoop | None = None
        self.newcomers: int = 0
        """Fetches under way for tenants that never had keys."""
        self._tasks: set[asyncio.Task[None]] = set()

    def bind(self) -> bool:
        """Take the running loop, unless a living one is bound. Whether the bound one is the running one."""
        running = asyncio.get_running_loop()
        if self.loop is None or self.loop.is_closed():
            self.loop = running
            self._tasks = set()
        return self.loop is running

    async def elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` from another loop than the store's, on which it runs."""
        if self.loop is None:
            work.close()
            raise RuntimeError("the store is not started")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def call(self, callback: Callable[[], None]) -> bool:
        """From any thread: run `callback` on the loop. False where there is no loop to run it on."""
        if self.loop is None:
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
        """Cancel and await all tasks, and let go of the loop."""
        tasks, self._tasks = tuple(self._tasks), set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.loop = None
