"""TLS, client certificates and proxies, with real servers of each kind."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPResponse
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer
from bearward.testing.tls import ThrowAwayAuthority
from tests.conftest import Run
from tests.core.jwks.support import fetch


def test_https_with_ca_file(run: Run, tmp_path: Path) -> None:
    """Trusted by `ca_file`, and by nothing else."""
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(issuer.ca_pem)
        assert run(fetch(issuer.jwks_uri, ca_file=ca_file)).body
        with pytest.raises(FetchError) as failed:
            run(fetch(issuer.jwks_uri))
        assert failed.value.failure is FetchFailure.TLS


def test_https_with_ca_file_checks_the_host(run: Run, tmp_path: Path) -> None:
    """A certificate of a trusted authority for another address is no proof of this one."""
    with LocalIssuer(algorithms=["ES256"], host="127.0.0.2", tls=True) as issuer:  # its certificate is for 127.0.0.1
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(issuer.ca_pem)
        with pytest.raises(FetchError) as failed:
            run(fetch(issuer.jwks_uri, ca_file=ca_file))
        assert failed.value.failure is FetchFailure.TLS


MANY = """
import asyncio, gc, ssl, sys
from bearward.fetch.client import IssuerHTTPClient
from bearward.jwks.options import JWKSOptions

async def contexts(clients):
    made = [IssuerHTTPClient(JWKSOptions().http_settings()) for _ in range(clients)]
    for client in made:
        await client.get(sys.argv[1])
    gc.collect()
    held = sum(isinstance(one, ssl.SSLContext) for one in gc.get_objects())
    for client in made:
        await client.aclose()
    return held

print(asyncio.run(contexts(1)), asyncio.run(contexts(8)))
"""


def test_system_authorities_are_loaded_once(issuer: LocalIssuer) -> None:
    """However many issuers there are: each context would hold them all. In a process that holds no others."""
    command = [sys.executable, "-c", MANY, issuer.jwks_uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout.split() == ["1", "1"], done.stdout + done.stderr


def test_files_that_cannot_be_read_are_named_as_such(run: Run, issuer: LocalIssuer) -> None:
    """A missing authority or certificate is no network trouble."""
    missing: list[dict[str, Any]] = [{"ca_file": "/nonexistent.pem"}, {"client_cert": "/nonexistent.pem"}]
    for options in missing:
        with pytest.raises(FetchError) as failed:
            run(fetch(issuer.jwks_uri, **options))
        assert failed.value.failure is FetchFailure.FILE


def test_proxy_environment_variables_are_ignored(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
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

    async def scenario() -> HTTPResponse:
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

        async def scenario() -> HTTPResponse:
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


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_with_basic_authentication(scheme: str, run: Run) -> None:
    """The URL's user and password, escaped there, go to the proxy as Basic credentials; a refusal is named as such."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        seen.extend(line for line in head if line.startswith("proxy-authorization: "))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def scenario() -> FetchFailure:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            proxy = f"http://us%3Aer:p%40ss%2Fw%C3%B6rd@127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(FetchError) as failed:
                await fetch(f"{scheme}://login.example/jwks", unsafe_allow_http=True, proxy=proxy)
            assert "word" not in repr(JWKSOptions(proxy=proxy, headers={"authorization": "a password"}))
            return failed.value.failure

    assert run(scenario()) is {"http": FetchFailure.STATUS, "https": FetchFailure.PROXY}[scheme]
    assert seen == ["proxy-authorization: basic " + b64encode("us:er:p@ss/wörd".encode()).decode().lower()]


def test_https_proxy_is_verified_by_system_authorities(
    run: Run, issuer: LocalIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`https://` to the proxy itself, by the authorities of the system; `ca_file` is about the issuer."""
    authority = ThrowAwayAuthority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.ca_pem)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def scenario() -> HTTPResponse:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.server_context())
        async with server:
            proxy = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(FetchError) as failed:
                await fetch(issuer.jwks_uri, proxy=proxy, ca_file=ca_file)
            assert failed.value.failure is FetchFailure.TLS
            monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
            return await fetch(issuer.jwks_uri, proxy=proxy)

    assert run(scenario()).body == b"{}"


def test_tls_errors_are_distinguished_from_connection_errors(run: Run, issuer: LocalIssuer) -> None:
    """Https to a server that speaks http."""
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri.replace("http:", "https:")))
    assert failed.value.failure is FetchFailure.TLS
    assert isinstance(failed.value.__cause__, Exception)
    assert not isinstance(failed.value, ssl.SSLError)
