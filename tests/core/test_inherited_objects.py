"""What a forked child lets go of, and never collects: it is the parent's, which still uses it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bearward.clock import SystemClock
from bearward.fetch.pool import PoolKeeper
from bearward.jwks.options import JWKSOptions
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer, principal_with
from bearward.watches import Watches
from tests.conftest import Run
from tests.core.jwks.support import policy
from tests.forking import holds_in_a_child

Inherited = tuple[Callable[[], bool], "weakref.ref[Any]", object]
"""Whether it was let go of, what of it must stay, and whatever keeps it alive in the parent."""


async def watched_call(_: LocalIssuer) -> Inherited:
    """The watch of a call that the parent serves."""

    class Call:
        def end(self, _: object) -> None: ...

    watches, call = Watches(lambda *_: 3600.0), Call()
    watches.add(principal_with(), call.end, 0.0)
    return lambda: len(watches) == 0, weakref.ref(call), watches


async def connections(issuer: LocalIssuer) -> Inherited:
    """The connections to an issuer."""
    keeper = PoolKeeper(JWKSOptions().http_settings())
    pools = await keeper.get()
    return lambda: keeper._pools is None, weakref.ref(pools.configured), keeper


async def fetch_under_way(issuer: LocalIssuer) -> Inherited:
    """A fetch of keys that has not ended."""
    store = JWKSStore(clock=SystemClock())
    keys = store.keys_of(policy(issuer))
    issuer.hold()
    task = keys.refresh()
    await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
    return lambda: not keys.in_use and not keys._in_flight, weakref.ref(task), store


@pytest.mark.parametrize("make", [watched_call, connections, fetch_under_way])
def test_child_lets_go_of_what_its_parent_uses(
    make: Callable[[LocalIssuer], Awaitable[Inherited]], run: Run, issuer: LocalIssuer
) -> None:
    """And keeps it: what is collected may close what both have open."""

    async def scenario() -> None:
        let_go, kept, parents = await make(issuer)

        def kept_and_not_used() -> bool:
            right = let_go()
            gc.collect()
            return right and kept() is not None

        right = await holds_in_a_child(kept_and_not_used)
        issuer.release()
        if isinstance(parents, JWKSStore):
            await parents.aclose()
        assert right

    run(scenario())
