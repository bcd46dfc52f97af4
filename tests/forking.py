"""A forked child that checks something, and ends whatever it comes to: never a second run of the tests."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable

__all__ = ["holds_in_a_child"]


async def holds_in_a_child(check: Callable[[], bool]) -> bool:
    """Whether `check()` is true in a forked child; what it raises is printed there, and is a no."""
    if (child := os.fork()) == 0:
        held = False
        try:
            held = check()
        except BaseException:  # noqa: BLE001  (nothing may go on here)
            traceback.print_exc()
        finally:
            os._exit(0 if held else 1)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    return status == 0
