"""`python -m tests.chaos.flooder SORT TRANSPORT ADDRESS NUMBER RATE TARGET`: send forged tokens at a steady rate.

Rule of this file: its own process, so that what the flood costs the sender does not delay the good callers, who are
timed elsewhere. It prints how many were sent and how many were accepted.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable

from tests.chaos.callers import OK, Caller, caller
from tests.chaos.forgeries import SORTS, Target

_AT_ONCE = 64


async def flood(call: Caller, make: Callable[[], str], number: int, rate: float) -> tuple[int, int]:
    """Send so many at this rate, at most 64 at once; how many were sent, and how many accepted."""
    room, began, accepted = asyncio.Semaphore(_AT_ONCE), time.monotonic(), 0

    async def one() -> None:
        nonlocal accepted
        try:
            accepted += await call(make()) == OK
        finally:
            room.release()

    tasks: set[asyncio.Task[None]] = set()
    for count in range(number):
        await room.acquire()
        if (ahead := count / rate - (time.monotonic() - began)) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(one())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks)
    return number, accepted


async def main(sort: str, transport: str, address: str, number: str, rate: str, target: str) -> None:
    """Flood and print."""
    to = Target(**json.loads(target))
    async with caller(transport, address) as call:
        sent, accepted = await flood(call, lambda: SORTS[sort](to), int(number), float(rate))
    print(json.dumps({"sent": sent, "accepted": accepted}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
