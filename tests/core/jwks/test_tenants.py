"""Tenants and several issuers: bounded, apart from one another, and safe from inventions."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.errors import AuthError
from bearward.jwks.freshness import Freshness
from bearward.jwks.store import JWKSStore, MissAction
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, eventually, policy, started

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
            invented = [asyncio.create_task(store.keys_of(tenant(n, known.origin)).get()) for n in range(1000)]
            await eventually(lambda: sum(task.done() for task in invented) == 1000 - 16)  # of one provider
            assert store.keys_of(policy(known)) is keys
            assert keys.current() is held
            assert [health.issuer for health in store.health()] == [known.url]
            known.release()
            outcomes = await asyncio.gather(*invented, return_exceptions=True)
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
    """Invented tenants cost a bounded amount; the benchmark tries a million."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock(), max_tenants=100)
        await store.start()
        for number in range(200):
            store.keys_of(tenant(number))
        await asyncio.sleep(0)
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(2_000):
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
    """Each has its own rate limit and back-off."""

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


def test_invented_tenants_cause_a_bounded_number_of_requests(run: Run) -> None:
    """Each is a new issuer with its own rate limit, so there is one in total: 16 fetches of two documents at once."""
    with LocalIssuer(algorithms=["ES256"], path="/real") as real:

        async def scenario() -> None:
            store = JWKSStore(clock=FakeClock())
            await store.start()
            for number in range(300):
                with pytest.raises(AuthError) as refused:
                    await store.keys_of(tenant(number, real.origin)).get()
                assert refused.value.retry_after is not None
                assert refused.value.retry_after >= 1.0
            await store.aclose()

        run(scenario())
        assert real.requests() == 32


def test_slow_invented_tenants_do_not_block_real_ones(run: Run) -> None:
    """The longest running fetch gives way once it had a second."""
    clock = FakeClock()
    with LocalIssuer(algorithms=["ES256"], host="0.0.0.0") as slow, LocalIssuer(algorithms=["ES256"]) as real:

        async def scenario() -> None:
            store = JWKSStore(clock=clock)
            await store.start()
            slow.hold()
            origins = [f"http://127.0.0.{n + 1}:{slow.port}" for n in range(32)]  # providers of their own
            invented = [asyncio.create_task(store.keys_of(tenant(0, origin)).get()) for origin in origins]
            await asyncio.to_thread(slow.wait_for_requests, "/0/.well-known/openid-configuration", 32)
            with pytest.raises(AuthError):
                await store.keys_of(policy(real)).get()
            clock.forward(8)  # its own rate limit, and theirs in total
            assert (await store.keys_of(policy(real)).get()).jwk_set.keys
            done, _ = await asyncio.wait(invented, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) == 1
            slow.release()
            await asyncio.gather(*invented, return_exceptions=True)
            await store.aclose()

        run(scenario())


@pytest.mark.parametrize("where", ["snapshot", "cache"])
def test_tenant_that_once_proved_itself_is_remembered(where: str, run: Run, valkey: Valkey, tmp_path: Path) -> None:
    """By the snapshot or the shared cache: a new process asks its provider nothing, however many are invented meanwhile."""
    with LocalIssuer(algorithms=["ES256"], path="/real") as real:
        options: dict[str, Any] = {"snapshot_dir": str(tmp_path)} if where == "snapshot" else {}
        settings: dict[str, Any] = {"cache": valkey.url, "cache_secret": SECRET} if where == "cache" else {}

        async def scenario() -> None:
            before = JWKSStore(**settings)
            await before.start()
            await before.keys_of(policy(real, **options)).get()
            await eventually(lambda: where == "cache" or any(tmp_path.glob("*.json")))
            await before.aclose()
            asked = real.requests()
            after = JWKSStore(**settings)
            await after.start()
            for number in range(40):
                with pytest.raises(AuthError):
                    await after.keys_of(tenant(number, real.origin)).get()
            invented = real.requests()
            assert (await after.keys_of(policy(real, **options)).get()).jwk_set.keys
            assert real.requests() == invented > asked
            await after.aclose()

        run(scenario())


def test_forgotten_tenant_that_comes_back_is_another_one(run: Run, issuer: LocalIssuer) -> None:
    """What was invalidated stays empty, also if a refresh of it ends later; the new object fetches for itself."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        await store.start()
        old = store.keys_of(policy(issuer))
        await old.get()
        issuer.hold()
        late = old.refresh()
        await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
        store.forget(policy(issuer).issuer)
        assert old.current() is None
        issuer.release()
        await asyncio.wait([late])
        assert old.current() is None
        new = store.keys_of(policy(issuer))
        assert new is not old
        assert (await new.get()).jwk_set.keys
        await store.aclose()

    run(scenario())


def test_evicted_tenant_closes_after_the_refresh_that_others_wait_for(run: Run) -> None:
    """Whoever waits gets the keys; only then its connections and timers go."""
    with LocalIssuer(algorithms=["ES256"], path="/slow") as slow:

        async def scenario() -> None:
            store = JWKSStore(clock=FakeClock(), max_tenants=1)
            await store.start()
            slow.hold()
            keys = store.keys_of(policy(slow))
            waiting = asyncio.create_task(keys.get())
            await asyncio.to_thread(slow.wait_for_requests, "/slow/jwks")
            for number in range(20):
                store.keys_of(tenant(number))
            await asyncio.sleep(0)
            assert keys.in_use
            slow.release()
            assert (await waiting).jwk_set.keys
            await eventually(lambda: not keys.in_use)
            await store.aclose()

        run(scenario())


def test_tenant_that_is_not_used_is_not_refreshed(run: Run, issuer: LocalIssuer) -> None:
    """While a configured issuer with the same options is, again and again."""
    short: dict[str, Any] = {"max_age": 1, "min_age": 1, "refresh_fraction": 0.1, "cooldown": 0}

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as configured:
            store = JWKSStore()
            await store.start([policy(configured, **short)])
            await store.keys_of(policy(configured, **short)).get()
            await store.keys_of(policy(issuer, **short)).get()
            asked = configured.requests()
            await eventually(lambda: configured.requests() >= asked + 3)
            assert issuer.requests() == 1
            await store.aclose()

    run(scenario())


def test_tenant_is_refreshed_each_time_that_it_is_used_and_due(run: Run, issuer: LocalIssuer) -> None:
    """It has no timer: a look-up past the moment starts a refresh in the background, the next one and the one after."""
    clock = FakeClock()

    async def scenario() -> None:
        store = JWKSStore(clock=clock)
        await store.start()
        keys = store.keys_of(policy(issuer, max_age=600))
        await keys.get()
        for number in (2, 3, 4):
            clock.forward(500)
            assert all(keys.current() is not None for _ in range(100))
            await eventually(lambda number=number: issuer.requests() == number)  # type: ignore[misc]
            await eventually(lambda: keys.health().state is Freshness.FRESH)
        await store.aclose()

    run(scenario())
