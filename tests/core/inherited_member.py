"""A process that forks: `python -m tests.core.inherited_member CASE [CACHE]` prints whether all is right, as JSON.

Rule of this file: the process is its own, since what other tests have left in theirs may not stand to be collected in a
child (threads of gRPC do not exist there).
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from bearward.cache.client import SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.fetch.pool import PoolKeeper
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer, principal_with
from bearward.watches import Watches
from tests.core.jwks.support import policy, started


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


def kept(let_go: Callable[[], bool], inherited: weakref.ref[Any]) -> Callable[[], bool]:
    """Whether the child has let go of what is its parent's, and has not collected it."""

    def right() -> bool:
        gone = let_go()
        gc.collect()
        return gone and inherited() is not None

    return right


async def watched_call() -> bool:
    """The watch of a call that the parent serves."""

    class Call:
        def end(self, _: object) -> None:
            """Never."""

    watches, call = Watches(lambda *_: 3600.0), Call()
    watch = watches.add(principal_with(), call.end, 0.0)
    right = await holds_in_a_child(kept(lambda: len(watches) == 0, weakref.ref(call)))
    watch.close()
    return right


async def connections() -> bool:
    """The connections to an issuer."""
    keeper = PoolKeeper(JWKSOptions().http_settings())
    pools = await keeper.get()
    return await holds_in_a_child(kept(lambda: keeper._pools is None, weakref.ref(pools.configured)))


async def fetch_under_way() -> bool:
    """A fetch of keys that has not ended."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        async with started(policy(issuer)) as (_, keys):
            issuer.hold()
            task = keys.refresh()
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
            right = await holds_in_a_child(kept(lambda: not keys.in_use and not keys._in_flight, weakref.ref(task)))
            issuer.release()
            await task
    return right


async def held_keys() -> bool:
    """Keys that are held: nothing in the child would look for newer ones before its first call."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        async with started(policy(issuer, start="eager", start_wait=30)) as (_, keys):
            seen = keys.current() is not None
            unseen = await holds_in_a_child(lambda: keys.current() is None and not keys.in_use)
            return seen and unseen and keys.current() is not None


async def shared_cache(url: str) -> bool:
    """Connections to a cache: the child opens its own, and the parent goes on with what it had."""
    make = backend_factory(url, timeout=10.0)
    assert make is not None
    cache = SharedCache(make, SystemClock(), timeout=10.0)

    def is_used() -> bool:
        warnings.simplefilter("ignore")  # as an error it would keep a driver from closing what nobody holds any more

        async def use() -> bool:
            ours = await cache.get(["a"]) == ["text"]
            gc.collect()
            return ours

        done: list[bool] = []
        other = threading.Thread(target=lambda: done.append(asyncio.run(use())))  # this one runs the parent's loop
        other.start()
        other.join(30)
        return done == [True]

    await cache.put("a", "text", 60)
    right = await holds_in_a_child(is_used)
    right = right and await cache.get(["a"]) == ["text"] and cache.state == "ok"
    await cache.aclose()
    return right


CASES: dict[str, Callable[..., Awaitable[bool]]] = {
    case.__name__: case for case in (watched_call, connections, fetch_under_way, held_keys, shared_cache)
}


async def main(case: str, *arguments: str) -> None:
    """Run one case."""
    print(json.dumps(await CASES[case](*arguments)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
