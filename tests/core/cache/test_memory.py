"""`memory://`: shared by the verifiers of one event loop, and bounded."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from bearward.cache.memory import _ProcessCache as ProcessCache
from bearward.cache.memory import process_cache
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.support import policy


def test_verifiers_of_one_process_share_a_fetch(run: Run) -> None:
    """Eight stores, a hundred first callers each, one request."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as issuer:
            stores = [JWKSStore() for _ in range(8)]
            all_keys = [store.keys_of(policy(issuer)) for store in stores]
            await asyncio.gather(*(keys.get() for keys in all_keys for _ in range(100)))
            assert issuer.requests() == 1
            assert {keys.health().cache for keys in all_keys} == {None}
            await asyncio.gather(*(store.aclose() for store in stores))

    run(scenario())


def test_verifiers_with_other_fetch_settings_share_nothing(run: Run) -> None:
    """A document that was fetched under laxer rules is not taken over."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as issuer:
            for lax in (True, False):
                store = JWKSStore()
                await store.keys_of(policy(issuer, unsafe_allow_private_addresses=lax)).get()
                await store.aclose()
            assert issuer.requests() == 2

    run(scenario())


def test_oldest_is_dropped_first(run: Run) -> None:
    """However many issuers there are."""

    async def scenario() -> None:
        cache = ProcessCache(max_texts=100)
        for number in range(1000):
            await cache.set(str(number), "text", ttl=60)
        assert await cache.multi_get(["899", "900", "999"]) == [None, "text", "text"]
        assert len(cache._texts) == 100

    run(scenario())


def test_expired_entries_are_absent(run: Run) -> None:
    """A lease too: the next one may take it."""

    async def scenario() -> None:
        cache = ProcessCache()
        await cache.add("lease", "me", ttl=0.05)
        with pytest.raises(ValueError):
            await cache.add("lease", "you", ttl=60)
        await asyncio.sleep(0.1)
        assert await cache.get("lease") is None
        await cache.add("lease", "you", ttl=60)

    run(scenario())


def test_memory_cache_keeps_no_event_loop_alive() -> None:
    """One for each loop, and gone with it."""

    async def scenario() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.get_running_loop()
        assert process_cache(loop) is process_cache(loop)
        await process_cache(loop).set("key", "text", ttl=3600)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(scenario())
    gc.collect()
    assert loop() is None
