"""Whether another interceptor is outside of ours, and so receives the handlers that ours returns.

Rule of this file: grpc does not say, so the stack does. It is looked at only where a call is refused or must wait for
keys: a caller that was let in gets a handler of its method's own kind in any case. What runs us in a task of its own hides
the stack, and has a context of its own too: that is asked of every call, since its handler must know its caller.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import FrameType
from typing import Final

__all__ = ["awaits_us", "calls_us", "runs_us_apart"]

_COROUTINE: Final = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE

_GRPCS_OWN: Final = "_handle_exceptions"
"""What grpc's task for one call runs."""


def awaits_us(caller: FrameType | None) -> bool:
    """On grpc.aio: whether a coroutine of Python's awaits `intercept_service`, whose caller's frame is given.

    grpc's own are compiled and have no frames, so without another interceptor the next frame is that of whatever runs
    the event loop, which is never a coroutine.
    """
    return (caller is not None and bool(caller.f_code.co_flags & _COROUTINE)) or runs_us_apart()


def runs_us_apart() -> bool:
    """On grpc.aio: whether we run in another task than the handler will, such as one of `asyncio.wait_for`.

    What is set in a context variable here is then not seen there. Where grpc names its own coroutine otherwise, this says
    yes to every call, which costs a little and is right.
    """
    task = asyncio.current_task()
    return task is None or getattr(task.get_coro(), "__qualname__", "") != _GRPCS_OWN


def calls_us(caller: FrameType | None) -> bool:
    """On grpc.server: whether anything but grpc stands between its serving thread and `intercept_service`."""
    while caller is not None:
        package = str(caller.f_globals.get("__name__", "")).partition(".")[0]
        if package != "grpc":
            return package not in sys.stdlib_module_names
        caller = caller.f_back
    return False
