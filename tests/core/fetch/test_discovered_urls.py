"""URLs that a document named: they get nothing that was configured for another origin, and lead into no private network."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from bearward.fetch.addresses import Network, is_allowed
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPResponse
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer, Request, Response, json_response
from tests.conftest import Run
from tests.core.jwks.mutual_tls import MutualTLSServer
from tests.core.jwks.support import policy, started

SECRET_HEADER = {"X-Api-Key": "s3cret"}
METADATA = "/.well-known/openid-configuration"


async def fetch(url: str, discovered_from: str | None, **options: Any) -> HTTPResponse:
    """One GET of a URL that the document at `discovered_from` named."""
    client = IssuerHTTPClient(JWKSOptions(**options).http_settings(unsafe_allow_http=True))
    try:
        return await client.get(url, discovered_from=discovered_from)
    finally:
        await client.aclose()


def test_headers_are_sent_to_the_configured_origin_only(run: Run, issuer: LocalIssuer) -> None:
    """A `jwks_uri` on another port is another origin (RFC 6454); one on the issuer's own is not."""
    seen: list[tuple[str, str | None]] = []

    def keys(request: Request) -> Response:
        seen.append((request.headers["host"], request.headers.get("x-api-key")))
        return json_response(issuer.keys.jwks())

    async def scenario(jwks_uri: str) -> None:
        issuer.serve_discovery({**issuer.discovery(), "jwks_uri": jwks_uri})
        async with started(policy(issuer, discover=True, headers=SECRET_HEADER)) as (_, held):
            await held.get()

    with LocalIssuer(algorithms=["ES256"]) as other:
        other.serve("/jwks", keys)
        issuer.serve("/jwks", keys)
        run(scenario(other.jwks_uri))
        run(scenario(issuer.jwks_uri))
        assert seen == [(f"127.0.0.1:{other.port}", None), (f"127.0.0.1:{issuer.port}", "s3cret")]


def test_headers_are_sent_to_a_configured_jwks_uri(run: Run, issuer: LocalIssuer) -> None:
    """The operator wrote that URL, wherever it leads."""
    seen: list[str | None] = []

    def keys(request: Request) -> Response:
        seen.append(request.headers.get("x-api-key"))
        return json_response(issuer.keys.jwks())

    issuer.serve("/jwks", keys)

    async def scenario() -> None:
        async with started(policy(issuer, headers=SECRET_HEADER)) as (_, held):
            await held.get()

    run(scenario())
    assert seen == ["s3cret"]


def test_client_certificate_is_shown_to_the_configured_origin_only(run: Run, tmp_path: Path) -> None:
    """Another origin that asks for one gets none."""
    with MutualTLSServer(tmp_path, b"{}") as server:
        options: dict[str, Any] = {"ca_file": server.ca_file, "client_cert": server.client_file}
        assert run(fetch(server.url, server.url, **options)).body == b"{}"
        with pytest.raises(FetchError):
            run(fetch(server.url, "https://127.0.0.1:1/metadata", **options))
        assert server.subjects == ["a service"]


def test_proxy_credentials_stay_with_the_proxy(run: Run) -> None:
    """Whoever named the URL: the request that the proxy passes on inside its tunnel holds none."""
    tunnelled: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        tunnelled.append(await reader.read(65_536))
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            proxy = f"http://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(FetchError):
                await fetch("https://keys.example/jwks", "https://login.example/metadata", proxy=proxy)

    run(scenario())
    assert len(tunnelled) == 1
    assert b"dXNlcjpwYXNzd29yZA" not in tunnelled[0]


LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.0.0.1", "a.localhost"]
PRIVATE = ["10.0.0.1", "192.168.1.1", "[fd00::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "[fe80::1]", "100.64.0.1"]


@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "by a proxy"])
@pytest.mark.parametrize("host", LOOPBACK + PRIVATE)
def test_public_document_leads_into_no_private_network(host: str, proxied: bool, run: Run, issuer: LocalIssuer) -> None:
    """In whatever notation, over http or https, by a proxy too: its text is refused before anything is sent."""
    options: dict[str, Any] = {"proxy": issuer.origin} if proxied else {}
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}:{issuer.port}/jwks"
        with pytest.raises(FetchError) as failed:
            run(fetch(url, f"https://93.184.216.34{METADATA}", unsafe_allow_private_addresses=True, **options))
        assert failed.value.failure is FetchFailure.ADDRESS_REFUSED
    assert issuer.requests() == 0


def test_public_document_names_a_host_that_resolves_to_loopback(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is judged too, at the moment of the connection (DNS rebinding)."""
    resolver = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: resolver("127.0.0.1" if host == "k.example" else host, *args, **more),
    )
    url = f"http://k.example:{issuer.port}/jwks"
    with pytest.raises(FetchError) as failed:
        run(fetch(url, f"https://93.184.216.34{METADATA}", unsafe_allow_private_addresses=True))
    assert failed.value.failure is FetchFailure.ADDRESS_REFUSED
    assert issuer.requests() == 0
    assert run(fetch(url, f"http://127.0.0.1:1{METADATA}", unsafe_allow_private_addresses=True)).body


def test_discovery_reaches_where_the_configured_issuer_lives(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name inside our own network, with the option that allows it: the address that it was reached at is what counts."""
    resolver = socket.getaddrinfo
    names = ("login.internal", "keys.internal")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: resolver("127.0.0.1" if host in names else host, *args, **more),
    )
    metadata = f"http://login.internal:{issuer.port}{METADATA}"

    async def scenario() -> None:
        settings = JWKSOptions(unsafe_allow_private_addresses=True).http_settings(unsafe_allow_http=True)
        client = IssuerHTTPClient(settings)
        keys = f"http://keys.internal:{issuer.port}/jwks"
        with pytest.raises(FetchError):  # not reached yet: it may be anywhere
            await client.get(keys, discovered_from=metadata)
        await client.get(metadata)
        assert json.loads((await client.get(keys, discovered_from=metadata)).body or b"") == issuer.keys.jwks()
        await client.aclose()

    run(scenario())


def test_discovered_url_confines_no_later_fetch(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same task, a URL that the operator wrote still leads where the operator wants, also after a refusal."""
    resolver = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: resolver("127.0.0.1" if host == "k.example" else host, *args, **more),
    )

    async def scenario() -> None:
        client = IssuerHTTPClient(JWKSOptions().http_settings(unsafe_allow_http=True))
        with pytest.raises(FetchError) as failed:
            await client.get(f"http://k.example:{issuer.port}/jwks", discovered_from=f"https://93.184.216.34{METADATA}")
        assert failed.value.failure is FetchFailure.ADDRESS_REFUSED
        assert (await client.get(issuer.jwks_uri)).body
        await client.aclose()

    run(scenario())


BY_A_PROXY = [
    # host of the document, host that it names, private networks allowed, led there
    ("10.0.0.1", "10.0.0.2", True, True),
    ("10.0.0.1", "10.0.0.2", False, False),
    ("10.0.0.1", "127.0.0.1", True, False),
    ("169.254.1.1", "169.254.169.254", True, False),
    ("93.184.216.34", "keys.example", False, True),
]


@pytest.mark.parametrize(("source", "target", "private", "led"), BY_A_PROXY)
def test_proxy_is_asked_only_for_what_the_document_may_name(
    source: str, target: str, private: bool, led: bool, run: Run, issuer: LocalIssuer
) -> None:
    """Behind a proxy no address is seen, so the text of both URLs decides; metadata services of clouds are nobody's home."""
    options: dict[str, Any] = {"proxy": issuer.origin, "unsafe_allow_private_addresses": private}
    issuer.serve("/jwks", json_response({}))
    fetching = fetch(f"http://{target}/jwks", f"http://{source}{METADATA}", **options)
    if led:
        assert run(fetching).body == b"{}"
    else:
        with pytest.raises(FetchError) as failed:
            run(fetching)
        assert failed.value.failure is FetchFailure.ADDRESS_REFUSED
    assert issuer.requests() == led


MATRIX = [
    # address, host, allowed privately, discovered in: None (written by the operator), PUBLIC, PRIVATE, LOOPBACK
    ("93.184.216.34", "a.example", False, (True, True, True, True)),
    ("10.0.0.1", "a.example", False, (False, False, False, False)),
    ("10.0.0.1", "a.example", True, (True, False, True, False)),
    ("fd00::1", "a.example", True, (True, False, True, False)),
    ("127.0.0.1", "a.example", False, (False, False, False, False)),
    ("127.0.0.1", "a.example", True, (True, False, False, True)),
    ("127.0.0.1", "localhost", False, (True, False, False, True)),
    ("::1", "localhost", True, (True, False, False, True)),
    ("169.254.169.254", "a.example", True, (False, False, False, False)),
    ("93.184.216.34", "localhost", True, (False, False, False, False)),
]
HOMES = (None, Network.PUBLIC, Network.PRIVATE, Network.LOOPBACK)


@pytest.mark.parametrize(("address", "host", "private", "expected"), MATRIX)
def test_addresses_by_where_the_document_lies(
    address: str, host: str, private: bool, expected: tuple[bool, ...]
) -> None:
    """Private and loopback only where the document itself came from there, and only with the option."""
    allowed = [is_allowed(address, host=host, unsafe_allow_private=private, discovered_in=home) for home in HOMES]
    assert tuple(allowed) == expected
