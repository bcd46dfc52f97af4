"""A fleet on real caches: one fetch for all, and each by itself when the cache lets it down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiocache import MemcachedCache, RedisCache, SimpleMemoryCache
from aiocache.serializers import StringSerializer

from bearward.cache.urls import _driver_info
from bearward.jwks.freshness import Freshness
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.store import MissAction
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import CacheServer, Memcached, Valkey, has_memcached
from tests.core.jwks.support import SECRET, all_get_keys, eventually, fleet, policy

pytestmark = pytest.mark.usefixtures("patient")


def test_fleet_makes_one_fetch(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """However many start together; and one more for a rotation, which all notice within a second and a half."""

    async def scenario() -> None:
        async with fleet(policy(issuer), 8, cache=server.url, cache_secret=SECRET) as members:
            await all_get_keys(members)
            assert issuer.requests() == 1
            kid = issuer.rotate().kid
            await members[0].refresh_after_miss(kid, 1)
            await eventually(lambda: all((held := m.current()) and held.jwk_set.holds(kid) for m in members))
            assert issuer.requests() == 2
            assert all(member.health().cache == "ok" for member in members)

    run(scenario())


def test_rotation_is_noticed_at_the_next_unknown_kid(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who misses finds the newer set in the cache and asks the issuer for nothing."""
    trusted = policy(issuer, poll_interval=3600)

    async def scenario() -> None:
        async with fleet(trusted, 2, cache=valkey.url, cache_secret=SECRET) as (one, other):
            await all_get_keys([one, other])
            kid = issuer.rotate().kid
            await one.refresh_after_miss(kid, 1)
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert issuer.requests() == 2

    run(scenario())


def test_forced_refresh_ignores_the_shared_set_already_held(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """What is shared is no newer than what was looked in: the issuer itself is asked."""

    async def scenario() -> None:
        async with fleet(policy(issuer, poll_interval=3600), 2, cache=valkey.url, cache_secret=SECRET) as (one, other):
            await all_get_keys([one, other])
            kid = issuer.rotate().kid
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert issuer.requests() == 2

    run(scenario())


def test_newer_set_without_the_kid_does_not_prevent_a_fetch(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Another worker refreshed just before the rotation: the burst lets this one ask again."""

    async def scenario() -> None:
        clock = FakeClock()
        async with fleet(policy(issuer, poll_interval=3600), 2, clock, cache=valkey.url, cache_secret=SECRET) as (
            one,
            other,
        ):
            await all_get_keys([one, other])
            clock.forward(60)
            await one.refresh()
            kid = issuer.rotate().kid
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)

    run(scenario())


async def notice(keys: IssuerKeys) -> None:
    """What the watch does every half second."""
    assert keys.fleet is not None
    entry = await keys.fleet.newer_than(keys.entry)
    if entry is not None:
        keys.accept(entry)


@pytest.mark.parametrize("noticed", [True, False])
def test_rate_limit_is_shared_by_the_fleet(noticed: bool, run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """A flood of unknown kids at all members costs the issuer no more than at one.

    Whether or not each has noticed what another fetched by the time of its next miss.
    """
    clock = FakeClock()

    async def scenario() -> None:
        async with fleet(
            policy(issuer, poll_interval=3600), 6, clock, cache=valkey.url, cache_secret=SECRET
        ) as members:
            await all_get_keys(members)
            clock.forward(60)
            for step in range(30 * 4 + 1):
                for number, keys in enumerate(members):
                    held = keys.current()
                    assert held is not None
                    kid = f"random {step} {number}"
                    if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                        await keys.refresh_after_miss(kid, held.generation)
                        for other in members if noticed else ():
                            await notice(other)
                clock.forward(0.25)

    run(scenario())
    assert issuer.requests() - 1 <= 9


def test_clock_that_is_ahead_delays_by_at_most_a_cooldown(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """The rate limit of a document from "the future" lasts one cooldown from when it was seen."""
    here, there = FakeClock(), FakeClock(FakeClock().now() + 25)

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600, burst=1)
        async with (
            fleet(trusted, 1, there, cache=valkey.url, cache_secret=SECRET) as (fast,),
            fleet(trusted, 1, here, cache=valkey.url, cache_secret=SECRET) as (slow,),
        ):
            await fast.get()
            held = await slow.get()
            kid = issuer.rotate().kid
            assert not (await slow.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
            here.forward(5)
            assert (await slow.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)

    run(scenario())


def test_age_counts_from_the_fetch(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who comes late gets an old set as an old set."""
    clock = FakeClock()
    trusted = policy(issuer, max_age=600)

    async def scenario() -> None:
        async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (first,):
            await first.get()
            clock.forward(200)
            async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (late,):
                await late.get()
                assert late.health().age == 200
                assert issuer.requests() == 1
            clock.forward(500)  # past its lifetime: shared or not, it is fetched again
            async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (later,):
                await later.get()
                assert later.health().age == 0

    run(scenario())


def test_new_process_uses_the_stale_set_of_the_fleet_during_an_outage(
    run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """As stale as it is, and only because the issuer fails."""
    clock = FakeClock()
    trusted = policy(issuer, max_age=600, stale_if_error=3600)

    async def scenario() -> None:
        async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (first,):
            await first.get()
        issuer.down()
        clock.forward(1000)
        async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (late,):
            await late.get()
            assert late.health().state is Freshness.STALE
            assert late.health().stale_left == pytest.approx(3200)

    run(scenario())


def own_redis(server: CacheServer, **settings: Any) -> RedisCache:
    """As a user makes it; what redis-py would read from disk for each connection it is told."""
    return RedisCache(endpoint="127.0.0.1", port=server.port, connection_pool_kwargs=_driver_info(), **settings)


OWN: dict[str, Callable[[CacheServer, CacheServer], Any]] = {
    "in memory": lambda _, __: SimpleMemoryCache(),
    "redis, as it comes": lambda redis, _: own_redis(redis),
    "redis, with a namespace": lambda redis, _: own_redis(redis, namespace="ours"),
    "redis, with another serializer": lambda redis, _: own_redis(redis, serializer=StringSerializer()),
    "memcached, as it comes": lambda _, memcached: MemcachedCache(endpoint="127.0.0.1", port=memcached.port),
}


@pytest.mark.skipif(not has_memcached(), reason="needs Debian's memcached")
@pytest.mark.parametrize("kind", OWN)
def test_custom_aiocache_backend_is_shared(kind: str, run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """Whatever aiocache offers may be handed in: its serializer does not matter, and its namespace holds."""

    async def scenario() -> None:
        with Valkey(tmp_path) as redis, Memcached(tmp_path) as memcached:
            backend = await asyncio.to_thread(OWN[kind], redis, memcached)
            async with fleet(policy(issuer), 3, cache=backend, cache_secret=SECRET) as members:
                await all_get_keys(members)
                assert issuer.requests() == 1
                kid = issuer.rotate().kid
                await members[0].refresh_after_miss(kid, 1)
                await eventually(lambda: all((held := m.current()) and held.jwk_set.holds(kid) for m in members))
                assert issuer.requests() == 2
                assert {member.health().cache for member in members} == {"ok"}

    run(scenario())
