"""One proof that is sent to all servers of a fleet is accepted once: with real stores, also when they fail."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Literal

import pytest
from aiocache import SimpleMemoryCache

from bearward import AuthError, ConfigurationError
from bearward.dpop import Proof, SharedReplays
from bearward.testing import MovableClock
from tests.conftest import Run
from tests.core.jwks.cache_servers import CacheServer, Valkey

SECRET = b"0123456789abcdef"
NOW = 1_800_000_000.0
PROOF = Proof("thumbprint", "jti", NOW, NOW + 60.0)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generous time limit: the machine may be busy, and a test that is about a hanging store sets its own."""
    monkeypatch.setattr("bearward.dpop.shared._TIMEOUT", 10.0)
    monkeypatch.setattr("bearward.dpop.shared._PAUSE", 0.0)


def member(cache: Any, on_failure: Literal["refuse", "accept"] = "refuse", **options: Any) -> SharedReplays:
    """One server of a fleet."""
    return SharedReplays(**{"cache": cache, "on_failure": on_failure, "cache_secret": SECRET, **options})


async def record(replays: SharedReplays, proof: Proof = PROOF, now: float = NOW) -> str | None:
    """The code of the refusal, None if the proof was recorded."""
    try:
        await replays.record(proof, now)
    except AuthError as error:
        return error.code
    return None


async def fleet(stack: AsyncExitStack, *members: SharedReplays) -> tuple[SharedReplays, ...]:
    """Servers that are closed when the stack is."""
    for one in members:
        stack.push_async_callback(one.aclose)
    return members


def test_fleet_accepts_a_proof_once(run: Run, server: CacheServer) -> None:
    """Whichever servers it is sent to, at the same time or one after the other."""

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            servers = await fleet(stack, *(member(server.url) for _ in range(4)))
            outcomes = await asyncio.gather(*(record(one) for one in servers * 3))
            assert sorted(outcomes, key=str) == [None, *["dpop_replayed"] * 11]
            assert await record(servers[0], PROOF._replace(jti="another")) is None
            assert await record(servers[1], PROOF._replace(jkt="another")) is None
            assert await record(servers[2], PROOF._replace(jti="another")) == "dpop_replayed"

    run(scenario())


def test_aiocache_memory_backend_adds_atomically(run: Run) -> None:
    """A backend object is accepted too, and its `add` refuses what is there."""

    async def scenario() -> None:
        cache = SimpleMemoryCache()
        here, there = member(cache), member(cache)
        assert [*await asyncio.gather(record(here), record(there))] == [None, "dpop_replayed"]

    run(scenario())


def test_names_in_the_store_say_nothing(run: Run, valkey: Valkey) -> None:
    """They are keyed hashes, of which a fleet with another secret or another name has its own."""

    async def scenario() -> None:
        import redis.asyncio

        async with AsyncExitStack() as stack:
            mine, other, named = await fleet(
                stack,
                member(valkey.url),
                member(valkey.url, cache_secret=b"another secret of 16"),
                member(valkey.url, name="staging"),
            )
            assert [await record(one) for one in (mine, other, named)] == [None] * 3
            client = redis.asyncio.Redis(port=valkey.port, decode_responses=True)
            stack.push_async_callback(client.aclose)
            names = [str(name) for name in await client.keys("*")]
            assert len(names) == 3
            assert all(name.startswith("bearward:dpop:") and "jti" not in name for name in names)
            assert {await client.get(name) for name in names} == {"1"}
            # until the proof can no longer pass, and a little longer: clocks differ
            assert {60 < await client.ttl(name) <= 70 for name in names} == {True}

    run(scenario())


def test_proof_takes_one_command_and_a_replay_none(run: Run, valkey: Valkey) -> None:
    """One round trip to the store for a new proof; what this process has seen costs it nothing."""

    async def scenario() -> None:
        import redis.asyncio

        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url))
            client = redis.asyncio.Redis(port=valkey.port)
            stack.push_async_callback(client.aclose)
            assert await record(one) is None  # the connection is made, and says hello

            async def commands() -> int:
                return int((await client.info("stats"))["total_commands_processed"])

            for jti, outcome, taken in (("second", None, 1), ("third", None, 1), ("third", "dpop_replayed", 0)):
                before = await commands()
                assert await record(one, PROOF._replace(jti=jti)) == outcome
                assert await commands() - before == taken + 1  # one is the question itself

    run(scenario())


def test_proof_time_to_live_counts_from_iat(run: Run, valkey: Valkey) -> None:
    """The time to live counts from `iat`, not from when the proof came."""

    async def scenario() -> None:
        import redis.asyncio

        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url))
            assert await record(one, PROOF._replace(issued_at=NOW + 50, expires_at=NOW + 110)) is None
            client = redis.asyncio.Redis(port=valkey.port)
            stack.push_async_callback(client.aclose)
            assert await client.ttl((await client.keys("*"))[0]) > 110

    run(scenario())


@pytest.mark.parametrize(("on_failure", "expected"), [("refuse", "dpop_unavailable"), ("accept", None)])
def test_on_failure_applies_while_the_store_is_down(
    run: Run, valkey: Valkey, on_failure: Literal["refuse", "accept"], expected: str | None
) -> None:
    """`refuse` refuses all proofs; `accept` accepts those that this process has not seen, and each once."""

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url, on_failure))
            assert await record(one) is None
            valkey.stop()
            assert await record(one, PROOF._replace(jti="during")) == expected
            assert await record(one) == "dpop_replayed"  # seen here before the store failed
            if on_failure == "accept":
                assert await record(one, PROOF._replace(jti="during")) == "dpop_replayed"
            valkey.start()
            assert await record(one, PROOF._replace(jti="after")) is None
            assert await record(one, PROOF._replace(jti="after")) == "dpop_replayed"

    run(scenario())


def test_process_remembers_proofs_that_the_store_lost(run: Run, valkey: Valkey) -> None:
    """The process that accepted it remembers."""

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url))
            assert await record(one) is None
            valkey.stop()
            valkey.start()
            assert await record(one) == "dpop_replayed"

    run(scenario())


def test_hanging_store_refuses_within_its_time_limit(run: Run, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for longer than the limit, and the refusal is ours."""
    monkeypatch.setattr("bearward.dpop.shared._TIMEOUT", 0.2)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url))
            valkey.hang()
            try:
                assert await record(one) == "dpop_unavailable"
            finally:
                valkey.go_on()

    run(scenario())


def test_bounds_of_this_process_keep_the_store_from_filling(run: Run, valkey: Valkey) -> None:
    """A key that has had its share here is refused before the store is asked."""

    async def scenario() -> None:
        import redis.asyncio

        from bearward.dpop import LocalReplays

        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url, local=LocalReplays(max_proofs_per_key=2)))
            outcomes = [await record(one, PROOF._replace(jti=str(n))) for n in range(4)]
            assert outcomes == [None, None, "dpop_unavailable", "dpop_unavailable"]
            client = redis.asyncio.Redis(port=valkey.port)
            stack.push_async_callback(client.aclose)
            assert await client.dbsize() == 2

    run(scenario())


def test_aiocache_that_is_disabled_counts_as_a_failed_store(
    run: Run, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AIOCACHE_DISABLE=1` makes every `add` the first one: nothing would be refused, and nobody would know."""
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(valkey.url))
            assert await record(one) == "dpop_unavailable"

    run(scenario())


def test_fleet_without_a_secret_is_possible(run: Run) -> None:
    """It says so by None, and shares proofs with its like alone."""

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            store = SimpleMemoryCache()
            without, with_one = await fleet(stack, member(store, cache_secret=None), member(store))
            assert without.is_shared is True
            assert await record(without) is None
            assert await record(with_one) is None

    run(scenario())


def test_store_is_asked_again_after_a_pause_by_the_clock_that_was_given(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then nothing waits for a store that has just failed."""
    monkeypatch.setattr("bearward.dpop.shared._PAUSE", 5.0)
    asked: list[str] = []

    class Failing:
        async def add(self, key: str, *_: Any, **__: Any) -> bool:
            asked.append(key)
            raise OSError

        async def close(self) -> None:
            """Nothing is open."""

    async def scenario() -> None:
        clock = MovableClock()
        async with AsyncExitStack() as stack:
            (one,) = await fleet(stack, member(Failing(), clock=clock))
            for seconds, tries in ((0.0, 1), (4.9, 1), (0.2, 2)):
                clock.advance(seconds)
                assert await record(one) == "dpop_unavailable"
                assert len(asked) == tries

    run(scenario())


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"cache": "memory://"}, "cache"),
        ({"cache": "nonsense"}, "cache"),
        ({"on_failure": "ignore"}, "on_failure"),
        ({"on_failure": None}, "on_failure"),
        ({"cache_secret": b"short"}, "cache_secret"),
        ({"cache_secret": "0123456789abcdef"}, "cache_secret"),
        ({"name": "a b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, Any], setting: str) -> None:
    """Each raises `ConfigurationError`, and names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        member(**{"cache": "redis://localhost", **options})
    assert caught.value.setting == setting
