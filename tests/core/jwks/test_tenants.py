"""Tenants and several issuers: bounded, apart from one another, and safe from inventions."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from bearward import TrustedIssuer
from bearward.errors import AuthError
from bearward.jwks.store import JWKSStore, MissAction
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import policy, started

MEBIBYTE = 1024 * 1024


def tenant(number: int, origin: str = "https://login.example") -> TrustedIssuer:
    """One of very many."""
    return TrustedIssuer(f"{origin}/{number}", audience="a")


def test_tenants_are_bounded_and_configured_issuers_stay(run: Run, issuer: LocalIssuer) -> None:
    """The longest unused tenant goes first; an explicit issuer never."""

    async def scenario() -> None:
        async with started(policy(issuer), max_tenants=3) as (store, explicit):
            kept = [store.keys_of(tenant(number)) for number in range(16)]
            assert store.keys_of(tenant(0)) is kept[0]
            store.keys_of(tenant(16))
            assert store.keys_of(tenant(0)) is kept[0]
            assert store.keys_of(tenant(1)) is not kept[1]
            assert store.keys_of(policy(issuer)) is explicit

    run(scenario())


def test_unknown_tenants_do_not_evict_known(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Neither its keys, nor readiness, nor a line of the health page or the log, nor many fetches at a time."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"], path="/known") as known:
            store = JWKSStore(clock=FakeClock(), max_tenants=3)
            await store.start()
            keys = store.keys_of(policy(known))
            held = await keys.get()
            known.hold()
            strangers = [asyncio.create_task(store.keys_of(tenant(n, known.origin)).get()) for n in range(1000)]
            _, waiting = await asyncio.wait(strangers, timeout=1)
            assert 0 < len(waiting) <= 32
            assert store.keys_of(policy(known)) is keys
            assert keys.current() is held
            assert [health.issuer for health in store.health()] == [known.url]
            known.release()
            outcomes = await asyncio.gather(*strangers, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {AuthError}
            await store.aclose()
            assert [
                record.getMessage() for record in caplog.records if f"{known.origin}/1" in record.getMessage()
            ] == []

    run(scenario())


def test_least_recently_used_proven_tenant_is_evicted_first(run: Run, issuer: LocalIssuer) -> None:
    """With keys or without: the number of tenants is bounded."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock(), max_tenants=2)
        await store.start()
        with LocalIssuer(algorithms=["ES256"]) as second, LocalIssuer(algorithms=["ES256"]) as third:
            tenants = [policy(one) for one in (issuer, second, third)]
            kept = [store.keys_of(one) for one in tenants]
            for keys in kept:
                await keys.get()
            assert len(store.health()) == 2
            assert store.keys_of(tenants[2]) is kept[2]
            assert store.keys_of(tenants[0]) is not kept[0]
        await store.aclose()

    run(scenario())


@pytest.mark.thorough
def test_many_tenants_leave_memory_where_it_was(run: Run) -> None:
    """Strangers who invent tenants cost a bounded amount; the benchmark does it with a million."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock(), max_tenants=100)
        await store.start()
        for number in range(200):
            store.keys_of(tenant(number))
        await asyncio.sleep(0)
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(10_000):
                store.keys_of(tenant(number))
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < MEBIBYTE
        finally:
            tracemalloc.stop()
            await store.aclose()

    run(scenario())


def test_issuers_have_separate_rate_limits(run: Run, issuer: LocalIssuer) -> None:
    """Each has its own brake and back-off."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as other:
            store = JWKSStore(clock=FakeClock())
            flooded, calm = policy(issuer), policy(other)
            await store.start([flooded, calm])
            keys, others = store.keys_of(flooded), store.keys_of(calm)
            held = await keys.get()
            calm_held = await others.get()
            for number in range(100):
                await keys.refresh_after_miss(f"kid {number}", held.generation)
            assert keys.decide_on_miss("one more", held.generation) is MissAction.UNKNOWN
            kid = other.rotate().kid
            assert others.decide_on_miss(kid, calm_held.generation) is MissAction.FETCH
            assert (await others.refresh_after_miss(kid, calm_held.generation)).jwk_set.holds(kid)
            await store.aclose()

    run(scenario())
