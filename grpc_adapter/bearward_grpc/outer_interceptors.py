"""Whether another interceptor is outside of ours, and so receives the handlers that ours returns.

Rule of this file: grpc does not say, so the stack is inspected, but only if a call is refused or must wait for keys: an
admitted caller gets a handler of its method's own kind in any case.
"""

from __future__ import annotations

import inspect
import sys
from types import FrameType
from typing import Final

__all__ = ["awaits_us", "calls_us"]

_COROUTINE: Final = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE


def awaits_us(caller: FrameType | None) -> bool:
    """On grpc.aio: whether a coroutine of Python's awaits `intercept_service`, whose caller's frame is given.

    grpc's own are compiled and have no frames, so without another interceptor the next frame is that of whatever runs
    the event loop, which is never a coroutine.
    """
    return caller is not None and bool(caller.f_code.co_flags & _COROUTINE)


def calls_us(caller: FrameType | None) -> bool:
    """On grpc.server: whether anything but grpc stands between its serving thread and `intercept_service`."""
    while caller is not None:
        package = str(caller.f_globals.get("__name__", "")).partition(".")[0]
        if package != "grpc":
            return package not in sys.stdlib_module_names
        caller = caller.f_back
    return False
