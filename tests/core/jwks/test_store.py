"""The store: starting in four ways, tenants within bounds, ending, and starting again elsewhere."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.jwks.errors import StartError
from bearward.jwks.freshness import Freshness
from bearward.jwks.store import JWKSStore, Miss
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, started

MEBIBYTE = 1024 * 1024


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


def test_eager_start_has_the_keys_ready(run: Run, issuer: LocalIssuer) -> None:
    """The first token waits for nothing."""

    async def scenario() -> None:
        async with started(policy(issuer, start="eager", start_wait=30)) as (store, keys):
            assert keys.current() is not None
            assert [health.ready for health in store.health()] == [True]

    run(scenario())


def test_eager_start_does_not_wait_for_an_issuer_that_hangs(run: Run, issuer: LocalIssuer) -> None:
    """After `start_wait` the service goes on, and the fetch too."""

    async def scenario() -> None:
        issuer.hold()
        async with started(policy(issuer, start="eager", start_wait=0.05)) as (store, keys):
            assert keys.current() is None
            assert not store.health()[0].ready
            issuer.release()
            await eventually(lambda: keys.current() is not None)

    run(scenario())


def test_an_issuer_that_comes_up_later_is_noticed_without_traffic(run: Run, issuer: LocalIssuer) -> None:
    """While it is down, attempts go on in the background, and readiness follows."""

    async def scenario() -> None:
        issuer.down()
        trusted = policy(issuer, start="eager", cooldown=0.05, max_backoff=0.1)
        from bearward.clock import SystemClock

        async with started(trusted, SystemClock()) as (store, _):
            assert not store.health()[0].ready
            assert store.health()[0].last_error == "cannot connect"
            issuer.up()
            await eventually(lambda: store.health()[0].ready)

    run(scenario())


def test_required_start_fails_without_keys(run: Run, issuer: LocalIssuer) -> None:
    """KEYS_UNAVAILABLE, and its text names the issuer for whoever reads the log."""
    issuer.down()
    trusted = policy(issuer, start="required")

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        try:
            with pytest.raises(StartError) as failed:
                await store.start([trusted])
            assert failed.value.refusal is Refusal.KEYS_UNAVAILABLE
            assert issuer.url in str(failed.value)
        finally:
            await store.aclose()

    run(scenario())


def test_lazy_start_asks_nobody_and_is_ready(run: Run, issuer: LocalIssuer) -> None:
    """Who waits for readiness before sending the first token must not wait for ever."""

    async def scenario() -> None:
        async with started(policy(issuer, start="lazy")) as (store, keys):
            assert issuer.requests() == 0
            assert store.health()[0].ready
            assert store.health()[0].state is Freshness.UNAVAILABLE
            issuer.down()
            with pytest.raises(AuthError):
                await keys.obtain()
            assert not store.health()[0].ready

    run(scenario())


def test_a_restart_needs_no_issuer_with_a_snapshot(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """The keys are there before the issuer is; they age from their fetch, and end with `stale_if_error`."""
    clock = FakeClock()
    trusted = policy(issuer, start="eager", snapshot_dir=tmp_path, max_age=600, stale_if_error=3600)

    async def first_life() -> None:
        async with started(trusted, clock) as (_, keys):
            await eventually(lambda: keys.current() is not None)
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)

    async def life(state: Freshness, age: float) -> None:
        async with started(trusted, clock) as (store, _):
            await eventually(lambda: store.health()[0].last_error is not None or state is Freshness.FRESH)
            assert (store.health()[0].state, store.health()[0].age) == (state, age)

    run(first_life())
    issuer.down()
    clock.forward(200)
    run(life(Freshness.FRESH, 200))
    clock.forward(1000)
    run(life(Freshness.STALE, 1200))
    clock.forward(3600)
    run(life(Freshness.UNAVAILABLE, 4800))


BAD_SNAPSHOTS = [b"", b"{", b"\xff", b"{}", b" " * 300_000]


@pytest.mark.parametrize("content", BAD_SNAPSHOTS)
def test_a_damaged_snapshot_is_as_good_as_none(content: bytes, run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """A disk can hold anything."""
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path)

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)
            assert keys.current() is not None
        (path,) = tmp_path.glob("*.json")  # noqa: ASYNC240  (a test may block)
        path.write_bytes(content)
        async with started(trusted) as (_, keys):
            assert keys.current() is not None
            assert keys.health().attempts == 1
            await eventually(lambda: path.read_bytes() != content)

    run(scenario())


def test_a_snapshot_that_cannot_be_written_fails_nothing(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """A full or missing disk is a line in the log."""
    (tmp_path / "file").touch()
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path / "file" / "below")

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            assert keys.current() is not None

    run(scenario())


def test_a_planted_snapshot_is_refused_with_a_secret(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """Who can write the directory cannot plant a key."""
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path)

    async def write() -> None:
        async with started(trusted):
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)

    async def read() -> None:
        async with started(trusted, cache_secret=b"0123456789abcdef") as (_, keys):
            assert keys.current() is None

    run(write())
    issuer.down()
    run(read())


def test_a_store_starts_again_on_another_loop(run: Run, issuer: LocalIssuer) -> None:
    """What is held survives `aclose`; fetching goes on where it is started next."""
    trusted = policy(issuer, start="eager", start_wait=30)
    clock = FakeClock()
    store = JWKSStore(clock=clock)

    async def life() -> None:
        await store.start([trusted])
        keys = store.keys_of(trusted)
        held = keys.current()
        assert held is not None
        clock.forward(60)
        kid = issuer.rotate().kid
        assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
        await store.aclose()
        assert keys.current() is not None

    run(life())
    run(life())


def test_a_loop_that_was_closed_without_a_word_is_left_behind(run: Run, issuer: LocalIssuer) -> None:
    """A store that was never closed binds to the next loop that awaits it."""
    store, trusted = JWKSStore(clock=FakeClock()), policy(issuer)
    keys = store.keys_of(trusted)
    run(keys.obtain())
    kid = issuer.rotate().kid
    assert run(keys.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
    run(store.aclose())


def test_ending_while_a_fetch_is_under_way_leaves_nobody_waiting(run: Run, issuer: LocalIssuer) -> None:
    """Who waits is told that keys are unavailable; nothing of the fetch stays behind."""

    async def scenario() -> None:
        issuer.hold()
        async with started(policy(issuer)) as (_, keys):
            waiting = asyncio.create_task(keys.obtain())
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
        with pytest.raises(AuthError):
            await waiting
        assert len(asyncio.all_tasks()) == 1
        issuer.release()

    run(scenario())


def tenant(number: int, origin: str = "https://login.example") -> TrustedIssuer:
    """One of very many."""
    return TrustedIssuer(f"{origin}/{number}", audience="a")


def test_tenants_are_bounded_and_explicit_issuers_stay(run: Run, issuer: LocalIssuer) -> None:
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


def test_invented_tenants_cost_a_known_one_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Neither its keys, nor readiness, nor a line of the health page or the log, nor many fetches at a time."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"], path="/known") as known:
            store = JWKSStore(clock=FakeClock(), max_tenants=3)
            await store.start()
            keys = store.keys_of(policy(known))
            held = await keys.obtain()
            known.hold()
            strangers = [asyncio.create_task(store.keys_of(tenant(n, known.origin)).obtain()) for n in range(1000)]
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


def test_the_longest_unused_of_the_proven_tenants_goes_first(run: Run, issuer: LocalIssuer) -> None:
    """With keys or without: the number of tenants is bounded."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock(), max_tenants=2)
        await store.start()
        with LocalIssuer(algorithms=["ES256"]) as second, LocalIssuer(algorithms=["ES256"]) as third:
            tenants = [policy(one) for one in (issuer, second, third)]
            kept = [store.keys_of(one) for one in tenants]
            for keys in kept:
                await keys.obtain()
            assert len(store.health()) == 2
            assert store.keys_of(tenants[2]) is kept[2]
            assert store.keys_of(tenants[0]) is not kept[0]
        await store.aclose()

    run(scenario())


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


def test_one_issuer_never_costs_another(run: Run, issuer: LocalIssuer) -> None:
    """Each has its own brake and back-off."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as other:
            store = JWKSStore(clock=FakeClock())
            flooded, calm = policy(issuer), policy(other)
            await store.start([flooded, calm])
            keys, others = store.keys_of(flooded), store.keys_of(calm)
            held = await keys.obtain()
            calm_held = await others.obtain()
            for number in range(100):
                await keys.refresh_after_miss(f"kid {number}", held.generation)
            assert keys.miss("one more", held.generation) is Miss.UNKNOWN
            kid = other.rotate().kid
            assert others.miss(kid, calm_held.generation) is Miss.FETCH
            assert (await others.refresh_after_miss(kid, calm_held.generation)).jwk_set.holds(kid)
            await store.aclose()

    run(scenario())


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("max_tenants", {"max_tenants": 0}),
    ("cache_secret", {"cache_secret": b"short"}),
    ("cache_secret", {"cache_secret": "text of a good length"}),
    *(("cache", {"cache": url}) for url in ("", "redis://", "nonsense", "redis://host:port", "https://host", "memcached://",
                                            "redis://host/database", "redis://host?nonsense=1", "unix://", "memory://host")),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "arguments"), WRONG)
def test_wrong_settings_are_refused_by_name(setting: str, arguments: dict[str, Any]) -> None:
    """Before anything is started, and without repeating what may hold a password."""
    with pytest.raises(ConfigurationError) as refused:
        JWKSStore(**arguments)
    assert refused.value.setting == setting


def test_health_is_one_object_and_one_line(run: Run, issuer: LocalIssuer) -> None:
    """Everything an operator asks about, as JSON and as a line, and in the `repr`."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (store, keys):
            await keys.obtain()
            clock.forward(10)
            health = store.health()[0]
            document = health.to_dict()
            assert document["state"] == "fresh"
            assert document["issuer"] == issuer.url
            assert (document["age"], document["keys"], document["generation"]) == (10, 1, 1)
            assert document["stale_left"] == 4190
            assert 290 <= document["next_refresh"] <= 440
            line = health.line()
            assert line == repr(keys)[len("<IssuerKeys ") : -1]
            for part in (issuer.url, "fresh", "generation 1", "1 keys", "age 10 s", document["thumbprint"][:12]):
                assert part in line

    run(scenario())
