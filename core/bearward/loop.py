"""The binding of an object to one event loop: its clock, its tasks, its timers, and who may wait for what.

Rule of this file: a task belongs to the owner of the binding, not to the caller that happened to start it, so a
caller's cancellation never reaches it; `aclose` cancels and awaits every task. Any thread may request work on the loop.
A forked child binds its own loop: an inherited loop looks as if it were running, but never does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  (asyncio imports it late, when it first has work for a thread)
import contextlib
import math
import random
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bearward.clock import Clock, on_clock_set
from bearward.forks import fork_safe, keep_for_parent, on_fork
from bearward.steps import Steps

__all__ = ["LoopBinding", "Timer", "WaiterLimit", "in_turns", "is_gone"]

T = TypeVar("T")

_POLL_INTERVAL = 0.05
_MAX_SLOTS = 64


async def in_turns(steps: Steps[T]) -> T:
    """The result of `steps`, with a turn of the running loop for each: however many they are, they hold nothing up."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)


class LoopBinding:
    """The owner's hold on one event loop."""

    def __init__(self, clock: Clock, random_share: Callable[[], float] | None = None) -> None:
        self.clock = clock
        self.jitter: Callable[[], float] = random_share or random.SystemRandom().random
        self.loop: asyncio.AbstractEventLoop | None = None
        self.slots: asyncio.Semaphore = asyncio.Semaphore(_MAX_SLOTS)
        """For work of which only so much should be done at a time."""
        self.on_rebind: Callable[[], None] = lambda: None
        """Called on a loop that was just bound: timers and tasks of the last one are gone."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: weakref.WeakSet[Timer] = weakref.WeakSet()
        self._lock = fork_safe(threading.RLock())
        self.on_parent_lost: Callable[[], None] = lambda: None
        """Called in a forked child, if a loop was bound."""
        on_fork(self)
        on_clock_set(clock, self._clock_was_set)

    def bind(self) -> bool:
        """Bind the running loop, unless another one is bound and runs. Whether the bound one is the running one.

        A loop that is closed, or no longer runs, would keep its waiters forever.
        """
        running = asyncio.get_running_loop()
        with self._lock:
            moved = self.loop is not running and not (self.loop is not None and self.loop.is_running())
            if moved:
                self.loop, self.slots = running, asyncio.Semaphore(_MAX_SLOTS)
        if moved:
            self.on_rebind()
        return self.loop is running

    async def run_on_bound_loop(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run `work()` on the bound loop and await it from another one; run it here if the bound one ends meanwhile."""
        loop = self.loop
        if loop is None:
            raise RuntimeError("no event loop is bound")
        coroutine = work()
        try:
            there = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # closed
            coroutine.close()
            return await work()
        result = asyncio.wrap_future(there)
        try:
            while not result.done() and loop.is_running():
                await asyncio.wait((result,), timeout=_POLL_INTERVAL)
        except asyncio.CancelledError:
            result.cancel()
            raise
        if result.done() and not result.cancelled():
            return result.result()
        await asyncio.sleep(_POLL_INTERVAL)  # it is about to end, and has cancelled what ran on it
        return await work()

    def call_soon(self, callback: Callable[[], None]) -> bool:
        """From any thread: run `callback` on the loop. False if there is no loop to run it on."""
        if self.loop is None or not self.loop.is_running():
            return False
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:  # closed
            return False
        return True

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle | None:
        """On the loop, after `delay` seconds, at most a day: the callback checks again."""
        if self.loop is None:
            return None
        return self.loop.call_later(min(max(delay, 0.0), 86_400.0), callback)

    def add_timer(self, timer: Timer) -> None:
        """Have `timer` check at once when the clock is set."""
        self._timers.add(timer)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that the binding owns. On the loop only."""
        if self.loop is None:
            work.close()
            raise RuntimeError("no event loop is bound")
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Cancel all tasks, await those that can still end, and unbind the loop."""
        tasks, self._tasks = tuple(self._tasks), set()
        for task in tasks:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                task.cancel()
        here = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in tasks if task.get_loop() is here), return_exceptions=True)
        self.loop = None

    def _clock_was_set(self) -> None:
        self.call_soon(self._fire_timers)

    def _fire_timers(self) -> None:
        for timer in tuple(self._timers):
            timer.fire()

    def forget_parent(self) -> None:
        """In a forked child: the loop and its tasks are the parent's."""
        if self.loop is not None:
            _inherited_loops.append(self.loop)
            keep_for_parent(self._tasks)
            self.loop, self._tasks = None, set()
            self.on_parent_lost()


_inherited_loops: list[asyncio.AbstractEventLoop] = []


def is_gone(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `loop` is closed, or belongs to the process that forked this one."""
    return loop.is_closed() or any(loop is inherited for inherited in _inherited_loops)


class Timer:
    """Calls `callback` on the bound loop, at one moment at a time."""

    def __init__(self, binding: LoopBinding, callback: Callable[[], None]) -> None:
        self._binding = binding
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None
        binding.add_timer(self)

    def fire(self) -> None:
        """Call back now, if a moment is set: it may have come, since the clock was set."""
        if self._timer is not None:
            self.set(None)
            self._callback()

    def set(self, delay: float | None) -> None:
        """In `delay` seconds, instead of what was set before; None or infinity for never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None and delay < math.inf:
            self._timer = self._binding.call_later(delay, self._callback)


class WaiterLimit:
    """At most `max_waiters` callers wait at a time."""

    __slots__ = ("_max_waiters", "_waiting")

    def __init__(self, max_waiters: int) -> None:
        self._max_waiters = max_waiters
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    @property
    def full(self) -> bool:
        """Whether the next caller would be refused. Any thread may ask."""
        return self._waiting >= self._max_waiters

    async def wait_for(self, task: asyncio.Task[None] | None) -> bool:
        """Wait until `task` has ended; False at once if there is none, or too many wait already."""
        if task is None or self.full:
            return False
        self._waiting += 1
        try:
            await asyncio.wait((task,))  # a cancelled waiter does not cancel the task
        finally:
            self._waiting -= 1
        return True
