"""Shared caches over TLS: whom a client trusts, and whom a server does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bearward.cache.client import CacheError
from tests.conftest import Run
from tests.core.cache.test_client import cache_at, exercise
from tests.core.jwks.cache_servers import CacheServer, Memcached, has_memcached
from tests.core.jwks.mutual_tls import Certificates

SCHEMES = {"valkey": "rediss", "memcached": "memcacheds"}


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until it ends."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    finally:
        writer.close()


@asynccontextmanager
async def tls_in_front_of(port: int, context: ssl.SSLContext, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A TLS server that hands on to a plain one, as stunnel does; answers its port."""
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer), return_exceptions=True)

    listener = await asyncio.start_server(serve, host, 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
    if under_way:
        await asyncio.wait(under_way, timeout=30)


def trusted(server: CacheServer, certificates: Certificates, port: int, host: str = "127.0.0.1") -> str:
    """The URL of `server` behind TLS, with everything that it takes to be admitted."""
    files = f"ca={certificates.ca_file}&cert={certificates.client_file}&key={certificates.client_file}"
    return f"{SCHEMES[server.scheme]}://{host}:{port}?{files}"


def test_mutual_tls_verifies_both_sides(run: Run, server: CacheServer, tmp_path: Path) -> None:
    """`rediss://` and `memcacheds://`, with the authority and the certificate that the URL names."""
    certificates = Certificates(tmp_path)

    async def scenario() -> None:
        async with (
            tls_in_front_of(server.port, certificates.server_context()) as port,
            cache_at(trusted(server, certificates, port)) as cache,
        ):
            await exercise(cache)

    run(scenario())


REFUSED = {
    "a client without a certificate": lambda url: url.partition("&")[0],
    "a server of another authority": lambda url: url.partition("?")[0],
}


@pytest.mark.parametrize("why", REFUSED)
def test_unknown_clients_are_refused(why: str, run: Run, server: CacheServer, tmp_path: Path) -> None:
    """By either side; for the store that is a cache that fails."""
    certificates = Certificates(tmp_path)

    async def scenario() -> None:
        async with (
            tls_in_front_of(server.port, certificates.server_context()) as port,
            cache_at(REFUSED[why](trusted(server, certificates, port))) as cache,
        ):
            with pytest.raises(CacheError):
                await cache.get(["a"])

    run(scenario())


def test_certificate_for_another_name_is_refused(run: Run, server: CacheServer, tmp_path: Path) -> None:
    """Of the right authority, but for 127.0.0.1 and not for where the URL leads."""
    certificates = Certificates(tmp_path)

    async def scenario() -> None:
        async with (
            tls_in_front_of(server.port, certificates.server_context(), "127.0.0.2") as port,
            cache_at(trusted(server, certificates, port, "127.0.0.2")) as cache,
        ):
            with pytest.raises(CacheError):
                await cache.get(["a"])

    run(scenario())


@pytest.mark.skipif(not has_memcached(), reason="needs Debian's memcached")
def test_memcacheds_own_tls(run: Run, tmp_path: Path) -> None:
    """Debian's memcached speaks TLS itself."""
    certificates = Certificates(tmp_path)

    class OverTLS(Memcached):
        def command(self) -> list[str]:
            files = f"ssl_chain_cert={certificates.server_file},ssl_key={certificates.server_file}"
            return [*super().command(), "-Z", "-o", files]

        def _answers(self) -> bool:
            context = ssl.create_default_context(cafile=certificates.ca_file)
            try:
                plain = socket.create_connection(("127.0.0.1", self.port), 1)
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as client:
                    client.sendall(b"version\r\n")
                    return bool(client.recv(10))
            except OSError:
                return False

    async def scenario() -> None:
        with OverTLS(tmp_path) as server:
            async with cache_at(f"memcacheds://127.0.0.1:{server.port}?ca={certificates.ca_file}") as cache:
                await exercise(cache)

    run(scenario())
