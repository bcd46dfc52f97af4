"""Starting and closing a verifier from a test that does not know on which loop, or in which thread, it is used.

Rule of this file: where an event loop runs in this thread, the end of a verifier is left to it, since it may be its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from bearward.verifier import Verifier

__all__ = ["close_verifier", "fetch_keys"]

_PATIENCE = 10.0
_closing: set[asyncio.Task[None]] = set()


def close_verifier(verifier: Verifier) -> None:
    """Have `verifier` closed: at once, or soon if an event loop runs in this thread; closing twice is harmless."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # In a thread of its own: `asyncio.run` would leave this one without its current loop.
        _in_a_thread(verifier.aclose)
    else:
        task = loop.create_task(verifier.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


def fetch_keys(verifier: Verifier) -> None:
    """Have `verifier` hold keys, if its issuers are up, before it is used on whatever loop.

    A token that could not pass whatever the keys causes no fetch: without keys it is refused with KEYS_UNAVAILABLE.
    """

    async def start() -> None:
        await verifier.start()
        await verifier.aclose()

    if not verifier.ready:
        _in_a_thread(start)


def _in_a_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    thread = threading.Thread(target=lambda: asyncio.run(work()), name="bearward-testing", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
