"""Tokens by client credentials: fetched once for all who wait, kept while they live, and never shown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bearward import ConfigurationError
from bearward.client_credentials.grant import parse_token_response
from bearward.testing import LocalIssuer
from bearward.testing.exchange import json_response
from bearward_grpc import client
from tests.adapters.grpc.calls import TIMEOUT


@pytest.fixture(scope="module")
def login() -> Iterator[LocalIssuer]:
    """An issuer that knows one client."""
    with LocalIssuer(algorithms=["ES256"], clients={"me": "s3cret"}) as local:
        yield local


def credentials_of(login: LocalIssuer, **settings: Any) -> client.ClientCredentials:
    """The right ones."""
    given = {"client_id": "me", "client_secret": "s3cret", **settings}
    return client.ClientCredentials(login.token_endpoint, **given)


def test_token_is_refreshed_before_it_expires(login: LocalIssuer) -> None:
    """`refresh_margin` seconds before its end; one that lives shorter than that, at half of its life."""
    now = [0.0]
    for refresh_margin, good, gone in ((30.0, 269.0, 271.0), (400.0, 149.0, 151.0)):
        source = credentials_of(login, refresh_margin=refresh_margin, monotonic=lambda: now[0])
        now[0] = 0.0
        first = source.token()
        now[0] = good
        assert source.token() == first
        now[0] = gone
        assert source.token() != first


def test_concurrent_callers_share_one_fetch(login: LocalIssuer, run: Any) -> None:
    """Threads and tasks alike; a task that is cancelled takes nobody along."""
    source = credentials_of(login)
    fetched = login.requests("/token")
    login.hold()

    async def wait_together() -> list[str]:
        loop = asyncio.get_running_loop()
        leaving = asyncio.ensure_future(source.token_async())
        staying = [asyncio.ensure_future(source.token_async()) for _ in range(5)]
        await loop.run_in_executor(None, login.wait_for_requests, "/token", fetched + 1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        login.release()
        return await asyncio.gather(*staying)

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(source.token) for _ in range(2)]
        tokens = [*run(wait_together()), *(done.result(TIMEOUT) for done in threads)]
    assert len(set(tokens)) == 1
    assert login.requests("/token") == fetched + 1


def test_rejected_client_credentials_raise_token_unavailable(login: LocalIssuer) -> None:
    """The error names the endpoint's code and nothing secret; the next attempt is a new one."""
    for settings in ({"client_secret": "wr0ng"}, {"client_secret": "wr0ng", "secret_in_body": True}):
        source = credentials_of(login, **settings)
        for _ in range(2):
            with pytest.raises(client.TokenUnavailableError, match="invalid_client") as caught:
                source.token()
            assert "wr0ng" not in str(caught.value) + repr(source)
    assert credentials_of(login, secret_in_body=True).token()


def test_unreachable_token_endpoint_raises_token_unavailable(login: LocalIssuer) -> None:
    """No token, no traceback of the transport, and no secret."""
    with LocalIssuer(algorithms=["ES256"]) as other:
        endpoint = other.token_endpoint
    source = client.ClientCredentials(endpoint, client_id="me", client_secret="s3cret", timeout=2)
    with pytest.raises(client.TokenUnavailableError, match="cannot be reached") as caught:
        source.token()
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def trickle(server: socket.socket, opening: bytes) -> None:
    """Serve one connection: `opening`, then an octet ten times a second until the client goes, or for ten seconds."""
    with server.accept()[0] as connection, contextlib.suppress(OSError):
        connection.sendall(opening)
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(b"x")


ENDLESS: list[tuple[str, str, bytes]] = [
    ("the handshake", "https", b"\x16\x03\x03\x40\x00"),  # a record of 16 KiB
    ("a header", "http", b"HTTP/1.1 200 OK\r\nX: "),
    ("the body", "http", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
]


@pytest.mark.parametrize(("what", "scheme", "opening"), ENDLESS, ids=[row[0] for row in ENDLESS])
def test_endpoint_that_never_ends_its_response_is_given_up(what: str, scheme: str, opening: bytes) -> None:
    """Each octet comes within `timeout`, and the response does not."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        served = pool.submit(trickle, server, opening)
        endpoint = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/token"
        source = client.ClientCredentials(endpoint, client_id="me", client_secret="s3cret", timeout=0.5)
        with pytest.raises(client.TokenUnavailableError, match="TimeoutError"):
            source.token()
        served.result(TIMEOUT)


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": ""}, {"client_secret": ""}, {"scopes": "a b"}, {"token_endpoint": "http://login.example/token"}],
    ids=str,
)
def test_invalid_setting_is_named(wrong: dict[str, Any]) -> None:
    """Named, when the source is made."""
    right = {"token_endpoint": "https://login.example/token", "client_id": "me", "client_secret": "s3cret"}
    with pytest.raises(ConfigurationError):
        client.ClientCredentials(**{**right, **wrong})


ANSWERS: list[tuple[Any, int, str]] = [
    ({"access_token": "a b", "token_type": "Bearer"}, 200, "sent none"),
    ({"token_type": "Bearer"}, 200, "sent none"),
    ({"access_token": "abc", "token_type": "DPoP"}, 200, "no bearer token"),
    ({"access_token": "abc"}, 200, "no bearer token"),
    (["abc"], 200, "sent none"),
    ({"error": "SECRET in capitals"}, 400, "responded with 400"),
    ({"error": "invalid_scope"}, 400, "invalid_scope"),
    ({}, 302, "responded with 302"),
    ({"filler": "x" * 300_000}, 200, "too large"),
]


@pytest.mark.parametrize(
    ("document", "status", "told"), ANSWERS, ids=[row[2] + str(i) for i, row in enumerate(ANSWERS)]
)
def test_response_without_access_token_raises_token_unavailable(
    document: Any, status: int, told: str, login: LocalIssuer
) -> None:
    """Whatever the endpoint returns, the caller gets a token or a `TokenUnavailableError`."""
    login.serve("/token", json_response(document, status))
    try:
        with pytest.raises(client.TokenUnavailableError, match=told):
            credentials_of(login).token()
    finally:
        login.serve("/token", None)


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [(300, 300), ("300", 300), (None, 60), (-1, 60), (True, 60), ("soon", 60), ([], 60), (10**400, 60), (1e300, 60)],
    ids=lambda value: repr(value)[:8],
)
def test_unusable_expires_in_counts_as_one_minute(lifetime: Any, seconds: float) -> None:
    """RFC 6749 only recommends `expires_in`, and some issuers send it as a string."""
    body = json.dumps({"access_token": "abc", "token_type": "Bearer", "expires_in": lifetime}).encode()
    assert parse_token_response(200, body).lifetime == seconds
