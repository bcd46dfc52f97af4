"""Closing a verifier from a test that does not know on which loop, or in which thread, it was used.

Rule of this file: it never blocks an event loop; where one runs in this thread, the end is left to it.
"""

from __future__ import annotations

import asyncio
import threading

from bearward.verifier import Verifier

__all__ = ["close_verifier"]

_PATIENCE = 10.0
_closing: set[asyncio.Task[None]] = set()


def close_verifier(verifier: Verifier) -> None:
    """Have `verifier` closed: at once, or soon if an event loop runs in this thread; closing twice is harmless."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # In a thread of its own: `asyncio.run` would leave this one without its current loop.
        thread = threading.Thread(target=_close, args=(verifier,), name="bearward-closing", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
    else:
        task = loop.create_task(verifier.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


def _close(verifier: Verifier) -> None:
    asyncio.run(verifier.aclose())
