"""The aiocache boundary against real servers: its operations, and every way in which a cache can let us down."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from aiocache.serializers import JsonSerializer

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.memory import process_cache
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.errors import ConfigurationError
from tests.conftest import Run
from tests.core.jwks.cache_servers import KINDS, CacheServer, Valkey


@asynccontextmanager
async def cache_at(url: str, *, limit: float = 10.0, pause: float = 0.0) -> AsyncIterator[SharedCache]:
    """A cache that is closed afterwards, with a generous time limit where the test is not about that."""
    make = backend_factory(url, timeout=limit)
    assert make is not None
    cache = SharedCache(make, SystemClock(), timeout=limit, pause=pause)
    try:
        yield cache
    finally:
        await cache.aclose()


async def exercise(cache: SharedCache) -> None:
    """What the fleet does with a cache."""
    assert await cache.get(["a", "b"]) == [None, None]
    await cache.put("a", "ä" * 1000, 60)
    assert await cache.get(["b", "a"]) == [None, "ä" * 1000]
    await cache.put("never old", "text", math.inf)
    assert await cache.get(["never old"]) == ["text"]
    assert await cache.acquire_lease("lease", "me", 60)
    assert not await cache.acquire_lease("lease", "you", 60)
    await cache.release_lease("lease", "you")
    assert not await cache.acquire_lease("lease", "you", 60)
    await cache.release_lease("lease", "me")
    assert await cache.acquire_lease("lease", "you", 60)
    assert cache.state == "ok"


def test_operations(run: Run, server: CacheServer) -> None:
    """Texts go in and come out; a lease is one owner's until it is given back."""

    async def scenario() -> None:
        async with cache_at(server.url) as cache:
            await exercise(cache)

    run(scenario())


def test_backend_is_created_once(run: Run, server: CacheServer) -> None:
    """However many operations come first together: a second backend would be lost with its connections."""
    make = backend_factory(server.url, timeout=10)
    assert make is not None
    made = []

    def counted() -> object:
        made.append(make())
        return made[-1]

    async def scenario() -> None:
        cache = SharedCache(counted, SystemClock(), timeout=10)
        await asyncio.gather(*(cache.get(["a"]) for _ in range(20)))
        await cache.aclose()

    run(scenario())
    assert len(made) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_unix_sockets(kind: Callable[..., CacheServer], run: Run, tmp_path: Path) -> None:
    """Aiocache's URLs do not know them; ours do."""

    async def scenario() -> None:
        with kind(tmp_path, tcp=False) as server:
            async with cache_at(server.unix_url) as cache:
                await exercise(cache)
                await asyncio.gather(*(cache.get(["a"]) for _ in range(20)))

    run(scenario())


def test_users_passwords_and_databases(run: Run, tmp_path: Path) -> None:
    """A URL may hold both, escaped; a wrong password is a CacheError that does not show it."""

    class Guarded(Valkey):
        options = ("--requirepass", "p@ss/word")

    async def scenario() -> None:
        with Guarded(tmp_path) as server:
            good = f"redis://default:p%40ss%2Fword@127.0.0.1:{server.port}/3"
            async with cache_at(good) as cache:
                await exercise(cache)
            async with cache_at(good.replace("%2F", "")) as cache:
                with pytest.raises(CacheError) as failed:
                    await cache.get(["a"])
                assert "word" not in str(failed.value)

    run(scenario())


def test_unavailable_cache_raises_cache_error(run: Run, server: CacheServer) -> None:
    """A CacheError at once, and after it comes up again, service as usual."""

    async def scenario() -> None:
        async with cache_at(server.url) as cache:
            await exercise(cache)
            server.stop()
            with pytest.raises(CacheError):
                await cache.get(["a"])
            assert cache.state != "ok"
            server.start()
            await exercise(cache)

    run(scenario())


def test_hanging_cache_costs_one_time_limit(run: Run, server: CacheServer) -> None:
    """After the first failure the others fail at once, until the pause is over."""

    async def scenario() -> None:
        async with cache_at(server.url, limit=0.3, pause=60) as cache:
            server.hang()
            started = asyncio.get_running_loop().time()
            for _ in range(100):
                with pytest.raises(CacheError):
                    await cache.get(["a"])
            assert cache.state == "timed out"
            assert asyncio.get_running_loop().time() - started < 20
            server.go_on()

    run(scenario())


def test_slow_backend_creation_is_not_a_cache_timeout(run: Run) -> None:
    """Making it imports and reads files, in a thread: on a busy machine that takes longer than any operation may."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        def make() -> object:
            time.sleep(1.0)
            return process_cache(loop)

        cache = SharedCache(make, SystemClock(), timeout=0.5)
        await exercise(cache)
        await cache.aclose()

    run(scenario())


def test_late_response_is_not_read_by_the_next_call(run: Run, server: CacheServer) -> None:
    """A call that was given up leaves its answer in the connection: the next call must not take it for its own."""

    async def scenario() -> None:
        async with cache_at(server.url, limit=0.3) as cache:
            for key in "abc":
                await cache.put(key, f"value of {key}", 60)
            server.hang()
            with pytest.raises(CacheError):
                await cache.get(["a"])
            server.go_on()
            for _ in range(20):
                for key in "bc":
                    try:
                        assert await cache.get([key]) == [f"value of {key}"]
                    except CacheError:  # a busy machine is slow; the rule is about answers
                        continue

    run(scenario())


def test_full_cache_raises_cache_error(run: Run, tmp_path: Path) -> None:
    """It still answers; what it does not take is a CacheError."""

    class Full(Valkey):
        options = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")

    async def scenario() -> None:
        with Full(tmp_path) as server:
            async with cache_at(server.url) as cache:
                assert await cache.get(["a"]) == [None]
                with pytest.raises(CacheError):
                    await cache.put("a", "b", 60)
                with pytest.raises(CacheError):
                    await cache.acquire_lease("lease", "me", 60)

    run(scenario())


def test_values_of_other_programs_are_ignored(run: Run, server: CacheServer) -> None:
    """Octets that are no text, whoever put them there."""

    async def scenario() -> None:
        async with cache_at(server.url) as cache:
            await cache.put("a", "text", 60)
            assert cache._client is not None
            backend = cache._client.backend
            if server.scheme == "valkey":
                await backend.client.set("b", b"\xff\xfe")
                await backend.client.hset("c", "field", "value")
            else:
                await backend.client.set(b"b", b"\xff\xfe")
            assert await cache.get(["a", "b", "c"]) == ["text", None, None]
            assert cache.state == "ok"

    run(scenario())


def test_serializer_of_a_backend_changes_no_text(run: Run, valkey: Valkey) -> None:
    """Whoever passes a backend of aiocache may have chosen any serializer, and a namespace: other members need not have it."""
    make = backend_factory(valkey.url, timeout=10.0)
    assert make is not None

    def of_their_own() -> Any:
        backend = make()
        backend.serializer, backend.namespace = JsonSerializer(), "own"
        return backend

    async def scenario() -> None:
        cache = SharedCache(of_their_own, SystemClock(), timeout=10.0)
        await exercise(cache)
        client = redis.asyncio.Redis(port=valkey.port)
        assert await client.get("own:lease") == b"you"
        assert await client.get("own:never old") == b"text"
        await client.aclose()
        await cache.aclose()

    run(scenario())


def test_huge_foreign_value_is_not_read_whole(run: Run, valkey: Valkey) -> None:
    """Half a gigabyte, or a list: whoever put it under our name costs each look a megabyte at most."""

    async def scenario() -> None:
        client = redis.asyncio.Redis(port=valkey.port)
        await client.setrange("huge", 100_000_000, "x")
        await client.rpush("list", "a", "b")
        async with cache_at(valkey.url) as cache:
            await cache.put("good", "text", 60)
            sent = (await client.info("stats"))["total_net_output_bytes"]
            assert await cache.get(["huge", "list", "good"]) == ["", None, "text"]
            assert (await client.info("stats"))["total_net_output_bytes"] - sent < 1_100_000
            assert cache.state == "ok"
            await cache.put("list", "text", 60)
            assert await cache.get(["list"]) == ["text"]
        await client.aclose()

    run(scenario())


def test_disabled_aiocache_raises_cache_error(run: Run, server: CacheServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `AIOCACHE_DISABLE=1` aiocache reports success and stores nothing; that must not look like an empty cache."""

    async def scenario() -> None:
        async with cache_at(server.url) as cache:
            await cache.put("a", "b", 60)
            monkeypatch.setenv("AIOCACHE_DISABLE", "1")
            for operation in (
                lambda: cache.get(["a"]),
                lambda: cache.put("a", "c", 60),
                lambda: cache.acquire_lease("lease", "me", 60),
                lambda: cache.release_lease("lease", "me"),
            ):
                with pytest.raises(CacheError):
                    await operation()
            assert cache.state == "switched off by the environment variable AIOCACHE_DISABLE"
            monkeypatch.delenv("AIOCACHE_DISABLE")
            assert await cache.get(["a"]) == ["b"]
            assert cache.state == "ok"

    run(scenario())


def test_backend_that_returns_no_value_for_each_key_is_a_failure(run: Run) -> None:
    """A custom backend that is switched off or broken must not look like an empty cache either."""

    class Off:
        async def multi_get(self, keys: list[str], timeout: float) -> None:  # noqa: ASYNC109  (aiocache's signature)
            return None

        async def close(self) -> None:
            return None

    async def scenario() -> None:
        cache = SharedCache(Off, SystemClock(), timeout=10.0)
        with pytest.raises(CacheError):
            await cache.get(["a"])
        await cache.aclose()

    run(scenario())


def test_missing_certificate_files_are_a_cache_error(run: Run) -> None:
    """Found out when the backend is made, in a thread."""

    async def scenario() -> None:
        async with cache_at("memcacheds://127.0.0.1:1?ca=/nonexistent.pem") as cache:
            with pytest.raises(CacheError):
                await cache.get(["a"])

    run(scenario())


@pytest.mark.parametrize(
    "url", ["redis://:secret@", "redis://u:secret@h/x", "memcached://u:secret@", "http://u:secret@h"]
)
def test_cache_error_does_not_repeat_the_url(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError) as refused:
        backend_factory(url, timeout=1)
    assert "secret" not in str(refused.value)
