"""A fleet on real caches: one fetch for all, and each by itself when the cache lets it down."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiocache import SimpleMemoryCache

from bearward import TrustedIssuer
from bearward.clock import SystemClock
from bearward.jwks.document import Stored, pack
from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.freshness import Freshness
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.store import Miss
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import CacheServer, Memcached, Valkey, has_memcached
from tests.core.jwks.support import eventually, policy, started

SECRET = b"a secret that the fleet shares"
NEEDS_MEMCACHED = pytest.mark.skipif(not has_memcached(), reason="needs Debian's memcached")
KINDS = [pytest.param(Valkey, id="valkey"), pytest.param(Memcached, id="memcached", marks=NEEDS_MEMCACHED)]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheServer]:
    """A server of each kind."""
    with request.param(tmp_path) as one:
        yield one


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Valkey alone, where the kind makes no difference."""
    with Valkey(tmp_path) as one:
        yield one


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


@asynccontextmanager
async def fleet(trusted: TrustedIssuer, size: int, clock: Any = None, **more: Any) -> AsyncIterator[list[IssuerKeys]]:
    """So many stores of their own, all with the same cache."""
    async with AsyncExitStack() as stack:
        members = []
        for _ in range(size):
            _, keys = await stack.enter_async_context(started(trusted, clock or SystemClock(), **more))
            members.append(keys)
        yield members


async def all_obtain(members: list[IssuerKeys]) -> None:
    """A cold start of all at once."""
    await asyncio.gather(*(keys.obtain() for keys in members for _ in range(20)))


def test_one_fetch_for_a_fleet(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """However many start together; and one more for a rotation, which all notice within a second and a half."""

    async def scenario() -> None:
        async with fleet(policy(issuer), 8, cache=server.url, cache_secret=SECRET) as members:
            await all_obtain(members)
            assert issuer.requests() == 1
            kid = issuer.rotate().kid
            await members[0].refresh_after_miss(kid, 1)
            await eventually(lambda: all((held := m.current()) and held.jwk_set.holds(kid) for m in members))
            assert issuer.requests() == 2
            assert all(member.health().cache == "ok" for member in members)

    run(scenario())


def test_a_rotation_is_noticed_at_the_next_miss_if_that_is_first(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who misses finds the newer set in the cache and asks the issuer for nothing."""
    trusted = policy(issuer, poll_interval=3600)

    async def scenario() -> None:
        async with fleet(trusted, 2, cache=valkey.url) as (one, other):
            await all_obtain([one, other])
            kid = issuer.rotate().kid
            await one.refresh_after_miss(kid, 1)
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert issuer.requests() == 2

    run(scenario())


def test_a_forced_refresh_is_not_answered_by_the_set_that_was_tried(
    run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """What is shared is no newer than what was looked in: the issuer itself is asked."""

    async def scenario() -> None:
        async with fleet(policy(issuer, poll_interval=3600), 2, cache=valkey.url) as (one, other):
            await all_obtain([one, other])
            kid = issuer.rotate().kid
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert issuer.requests() == 2

    run(scenario())


def test_a_newer_set_without_the_kid_does_not_stand_in_the_way(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Another worker refreshed just before the rotation: the burst lets this one ask again."""

    async def scenario() -> None:
        clock = FakeClock()
        async with fleet(policy(issuer, poll_interval=3600), 2, clock, cache=valkey.url) as (one, other):
            await all_obtain([one, other])
            clock.forward(60)
            await one.refresh()
            kid = issuer.rotate().kid
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)

    run(scenario())


def test_the_cooldown_is_the_fleets(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """A flood of unknown kids at all members costs the issuer no more than at one."""
    clock = FakeClock()

    async def scenario() -> None:
        async with fleet(policy(issuer), 6, clock, cache=valkey.url) as members:
            await all_obtain(members)
            clock.forward(60)
            for step in range(30 * 4 + 1):
                for number, keys in enumerate(members):
                    held = keys.current()
                    assert held is not None
                    kid = f"random {step} {number}"
                    if keys.miss(kid, held.generation) is Miss.FETCH:
                        await keys.refresh_after_miss(kid, held.generation)
                clock.forward(0.25)

    run(scenario())
    assert issuer.requests() - 1 <= 9


def test_the_age_counts_from_the_fetch(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who comes late gets an old set as an old set."""
    clock = FakeClock()
    trusted = policy(issuer, max_age=600)

    async def scenario() -> None:
        async with fleet(trusted, 1, clock, cache=valkey.url) as (first,):
            await first.obtain()
            clock.forward(200)
            async with fleet(trusted, 1, clock, cache=valkey.url) as (late,):
                await late.obtain()
                assert late.health().age == 200
                assert issuer.requests() == 1
            clock.forward(500)  # past its lifetime: shared or not, it is fetched anew
            async with fleet(trusted, 1, clock, cache=valkey.url) as (later,):
                await later.obtain()
                assert later.health().age == 0

    run(scenario())


def test_a_newcomer_in_an_outage_takes_the_stale_set_of_the_fleet(
    run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """As stale as it is, and only because the issuer fails."""
    clock = FakeClock()
    trusted = policy(issuer, max_age=600, stale_if_error=3600)

    async def scenario() -> None:
        async with fleet(trusted, 1, clock, cache=valkey.url) as (first,):
            await first.obtain()
        issuer.down()
        clock.forward(1000)
        async with fleet(trusted, 1, clock, cache=valkey.url) as (late,):
            await late.obtain()
            assert late.health().state is Freshness.STALE
            assert late.health().stale_left == pytest.approx(3200)

    run(scenario())


def test_a_cache_that_is_down_changes_nothing_but_the_count(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """Each fetches by itself and says so; when the cache comes back they share again."""

    async def scenario() -> None:
        server.stop()
        trusted = policy(issuer, cooldown=0)
        async with fleet(trusted, 4, cache=server.url) as members:
            await all_obtain(members)
            assert issuer.requests() == 4
            assert all(member.health().cache not in (None, "ok") for member in members)
            server.start()
            await eventually(lambda: all(member.health().cache == "ok" for member in members))
            kid = issuer.rotate().kid
            await members[0].refresh_after_miss(kid, 1)
            await eventually(lambda: all((held := m.current()) and held.jwk_set.holds(kid) for m in members))
            assert issuer.requests() == 5

    run(scenario())


def test_a_cache_that_hangs_costs_little_time_and_no_answer(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """The time limits of the cache come on top of the fetch, once."""

    async def scenario() -> None:
        server.hang()
        try:
            async with fleet(policy(issuer), 1, cache=server.url) as (keys,):
                await keys.obtain()
                assert keys.health().cache == "timed out"
        finally:
            server.go_on()

    run(scenario())


def test_a_cache_that_is_full_stops_nobody(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """No lease and no document can be stored: each fetches by itself."""

    class Full(Valkey):
        options = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")

    async def scenario() -> None:
        with Full(tmp_path) as server:
            async with fleet(policy(issuer), 2, cache=server.url) as members:
                await all_obtain(members)
                assert issuer.requests() == 2

    run(scenario())


def test_a_cache_that_is_flushed_or_killed_between_steps(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """Workers go on from their snapshots while the cache comes and goes under load."""

    async def scenario() -> None:
        trusted = policy(issuer, cooldown=0, unknown_kid_ttl=0)
        async with fleet(trusted, 3, cache=server.url) as members:
            await all_obtain(members)
            for _ in range(5):
                server.stop()
                for keys in members:
                    kid = issuer.rotate().kid
                    held = keys.current()
                    assert held is not None
                    assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
                server.start()
                assert all(keys.current() is not None for keys in members)

    run(scenario())


def forged_document(issuer: LocalIssuer, names: IssuerFleet) -> str:
    """A document with an attacker's key, as fresh as can be, without the fleet's secret."""
    from bearward.jose.jwk_set import JWKSet
    from bearward.jwks.entry import Entry

    document = json.dumps(LocalIssuer(algorithms=["ES256"]).keys.jwks()).encode()
    entry = Entry(JWKSet.parse(document), document, time.time() + 5, 600.0)
    return pack(Stored(entry, 2.0), name=names._names.document, issuer=issuer.url, secret=None)


POISON: list[tuple[str, Callable[[LocalIssuer, IssuerFleet], str]]] = [
    ("a planted key", forged_document),
    ("garbage", lambda *_: "garbage"),
    ("deep JSON", lambda *_: "[" * 100_000),
    ("a number", lambda *_: "5"),
    ("nothing", lambda *_: ""),
]


@pytest.mark.parametrize(("what", "poison"), POISON, ids=[case[0] for case in POISON])
def test_a_poisoned_cache_plants_nothing(
    what: str, poison: Callable[[LocalIssuer, IssuerFleet], str], run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """With a secret, what others wrote is refused and named in the health; the issuer is asked, and rewrites it."""

    async def scenario() -> None:
        async with fleet(policy(issuer), 2, cache=valkey.url, cache_secret=SECRET) as (one, other):
            await one.obtain()
            names = one.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._names.document, poison(issuer, names), 60)
            await names._cache.put(names._names.stamp, "look here", 60)
            await eventually(lambda: (one.health().cache or "").startswith("refused a document"))
            held = await other.obtain()
            assert held.jwk_set.thumbprint == one.current().jwk_set.thumbprint  # type: ignore[union-attr]
            assert issuer.requests() == 2
            await eventually(lambda: one.health().cache == "ok")

    run(scenario())


def test_a_lease_that_is_never_given_back_stops_nobody(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Somebody renews it for ever: after the total timeout each fetches by itself, and asks for no lease for a while."""
    trusted = policy(issuer, total_timeout=0.5, cooldown=0)

    async def scenario() -> None:
        async with fleet(trusted, 1, cache=valkey.url) as (keys,):
            names = keys.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._names.lease, "an attacker", 3600)
            await keys.obtain()
            kid = issuer.rotate().kid
            began = time.monotonic()
            assert (await keys.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert time.monotonic() - began < 10

    run(scenario())


def test_when_the_one_who_fetches_fails_the_others_wait_once(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who holds keys leaves the next attempt to itself; who holds none tries at once."""

    async def scenario() -> None:
        async with fleet(policy(issuer, cooldown=1, poll_interval=3600), 2, cache=valkey.url) as (one, other):
            await all_obtain([one, other])
            names = one.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._names.lease, "failed somebody", 60)
            kid = issuer.rotate().kid
            assert not (await one.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert one.health().last_error == "another process tried just now and failed"
            await eventually(lambda: one.miss("a", 1) is not Miss.UNKNOWN)
            await one.refresh_after_miss("a", 1)
            assert one.current().jwk_set.holds(kid)  # type: ignore[union-attr]
            async with fleet(policy(issuer), 1, cache=valkey.url) as (newcomer,):
                await newcomer.obtain()

    run(scenario())


def test_an_own_aiocache_backend_is_shared_too(run: Run, issuer: LocalIssuer) -> None:
    """Whatever aiocache offers may be handed in."""

    async def scenario() -> None:
        backend = SimpleMemoryCache()
        async with fleet(policy(issuer), 3, cache=backend) as members:
            await all_obtain(members)
            assert issuer.requests() == 1

    run(scenario())


@contextmanager
def processes(count: int, issuer: LocalIssuer, cache: str) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes of a fleet."""
    settings = {"issuer": issuer.url, "jwks_uri": issuer.jwks_uri, "cache": cache, "secret": SECRET.decode()}
    command = [sys.executable, "-m", "tests.core.jwks.fleet_member", json.dumps(settings)]
    started_ones = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        yield started_ones
    finally:
        for process in started_ones:
            process.kill()
            process.communicate()


def answer_of(process: subprocess.Popen[str], question: str | None = None) -> dict[str, bool]:
    """One line of its output, after a line of input."""
    assert process.stdin is not None
    assert process.stdout is not None
    if question is not None:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    answer: dict[str, bool] = json.loads(process.stdout.readline())
    return answer


def test_the_lease_holds_across_processes(server: CacheServer, issuer: LocalIssuer) -> None:
    """Three processes with a hundred first requests each: one fetch, however slow the issuer is."""
    issuer.slow(0.5)
    with processes(3, issuer, server.url) as members:
        for member in members:
            assert answer_of(member) == {"ready": True}
    assert issuer.requests() == 1


def test_a_process_that_dies_with_the_lease_leaves_it_to_another(valkey: Valkey, issuer: LocalIssuer) -> None:
    """Killed in the middle of its fetch: the lease runs out, and the next one fetches."""
    issuer.hold()
    with processes(1, issuer, valkey.url) as (victim,):
        issuer.wait_for_requests("/jwks", 1)
        victim.kill()
        victim.wait()
        with processes(1, issuer, valkey.url) as (survivor,):
            issuer.wait_for_requests("/jwks", 2)
            issuer.release()
            assert answer_of(survivor) == {"ready": True}
