"""TLS, client certificates and proxies, with real servers of each kind."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.http import HTTPAnswer
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.support import fetch


def test_https_with_an_own_authority(run: Run, tmp_path: Path) -> None:
    """Trusted by `ca_file`, and by nothing else."""
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(issuer.ca_pem)
        assert run(fetch(issuer.jwks_uri, ca_file=ca_file)).body
        with pytest.raises(FetchError) as failed:
            run(fetch(issuer.jwks_uri))
        assert failed.value.failure is FetchFailure.TLS


def test_files_that_cannot_be_read_are_named_as_such(run: Run, issuer: LocalIssuer) -> None:
    """A missing authority or certificate is no network trouble."""
    missing: list[dict[str, Any]] = [{"ca_file": "/nonexistent.pem"}, {"client_cert": "/nonexistent.pem"}]
    for options in missing:
        with pytest.raises(FetchError) as failed:
            run(fetch(issuer.jwks_uri, **options))
        assert failed.value.failure is FetchFailure.FILE


def test_the_environment_chooses_no_proxy(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HTTP_PROXY` is for other programs."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    assert run(fetch(issuer.jwks_uri)).body


def test_mutual_tls(run: Run, tmp_path: Path) -> None:
    """An issuer that asks for a client certificate gets the configured one."""
    from tests.core.jwks.mutual_tls import MutualTLSServer

    with MutualTLSServer(tmp_path, b"{}") as server:
        trusted: dict[str, Any] = {"ca_file": server.ca_file}
        assert run(fetch(server.url, **trusted, client_cert=server.client_file)).body == b"{}"
        assert server.subjects == ["a service"]
        with pytest.raises(FetchError):
            run(fetch(server.url, **trusted))


def test_through_a_proxy(run: Run, issuer: LocalIssuer) -> None:
    """The proxy is asked for the document, wherever the proxy itself is."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def scenario() -> HTTPAnswer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await fetch("http://login.example/jwks", unsafe_allow_http=True, proxy=f"http://127.0.0.1:{port}")

    assert run(scenario()).body == b"{}"
    assert seen == [b"GET http://login.example/jwks HTTP/1.1\r\n"]


def test_tls_through_a_proxy(run: Run, tmp_path: Path) -> None:
    """CONNECT, and then TLS with the issuer itself."""
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(issuer.ca_pem)
        seen: list[bytes] = []

        async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def scenario() -> HTTPAnswer:
            finished = asyncio.Event()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                seen.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
                there_reader, there_writer = await asyncio.open_connection("127.0.0.1", issuer.port)
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                ways = pipe(reader, there_writer), pipe(there_reader, writer)
                await asyncio.gather(*ways, return_exceptions=True)
                finished.set()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                answer = await fetch(issuer.jwks_uri, ca_file=ca_file, proxy=f"http://127.0.0.1:{port}")
                await finished.wait()
            return answer

        assert run(scenario()).body
        assert seen == [f"CONNECT 127.0.0.1:{issuer.port} HTTP/1.1".encode()]


def test_tls_errors_are_told_from_connection_errors(run: Run, issuer: LocalIssuer) -> None:
    """Https to a server that speaks http."""
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri.replace("http:", "https:")))
    assert failed.value.failure is FetchFailure.TLS
    assert isinstance(failed.value.__cause__, Exception)
    assert not isinstance(failed.value, ssl.SSLError)
