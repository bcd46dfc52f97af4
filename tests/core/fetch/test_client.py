"""The HTTP boundary against a real server that misbehaves in every way we could think of."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import time
from collections.abc import Callable, Iterable

import pytest

from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPResponse
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer, Request, Response
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import fetch

JSON = {"Content-Type": "application/json"}


def gzipped(body: bytes, **headers: str) -> Response:
    """The body in one gzip member."""
    return Response(gzip.compress(body), 200, {**JSON, "Content-Encoding": "gzip", **headers})


def trickle() -> Iterable[bytes]:
    """A byte now and then, forever: each read succeeds in time."""
    while True:
        yield b" "
        time.sleep(0.05)


GOOD: list[tuple[str, Response]] = [
    ("plain", Response(b'{"keys": []}', 200, JSON)),
    ("gzip", gzipped(b'{"keys": []}')),
    ("chunked", Response([b'{"keys"', b": []}"], 200, JSON)),
    ("gzip, chunked", Response([gzip.compress(b'{"keys": []}')], 200, {"Content-Encoding": "x-gzip"})),
    ("another content type", Response(b'{"keys": []}', 200, {"Content-Type": "text/html"})),
    ("no content type", Response(b'{"keys": []}', 200)),
]


@pytest.mark.parametrize(("what", "answer"), GOOD, ids=[case[0] for case in GOOD])
def test_good_answers(what: str, answer: Response, run: Run, issuer: LocalIssuer) -> None:
    """The body counts, not what it calls itself: static file hosts serve keys as anything."""
    issuer.serve("/jwks", answer)
    assert run(fetch(issuer.jwks_uri)).body == b'{"keys": []}'


BAD: list[tuple[str, Callable[[], Response], FetchFailure]] = [
    ("301", lambda: Response(b"", 301, {"Location": "https://evil.example/jwks"}), FetchFailure.REDIRECT),
    ("307 to itself", lambda: Response(b"", 307, {"Location": "/jwks"}), FetchFailure.REDIRECT),
    ("304 without a condition", lambda: Response(b"", 304), FetchFailure.REDIRECT),
    ("404", lambda: Response(b"", 404), FetchFailure.NOT_FOUND),
    ("410", lambda: Response(b"", 410), FetchFailure.NOT_FOUND),
    ("403", lambda: Response(b"", 403), FetchFailure.STATUS),
    ("500", lambda: Response(b"", 500), FetchFailure.STATUS),
    ("503", lambda: Response(b"", 503, {"Retry-After": "1"}), FetchFailure.STATUS),
    ("204", lambda: Response(b"", 204), FetchFailure.STATUS),
    ("206", lambda: Response(b"{", 206), FetchFailure.STATUS),
    ("too large", lambda: Response(b" " * 65_537), FetchFailure.TOO_LARGE),
    ("too large, chunked", lambda: Response([b" " * 1024] * 65), FetchFailure.TOO_LARGE),
    ("endless", lambda: Response(itertools.repeat(b" " * 1024)), FetchFailure.TOO_LARGE),
    ("gzip bomb", lambda: gzipped(b" " * 50_000_000), FetchFailure.TOO_LARGE),
    ("a gzip bomb's first byte too many", lambda: gzipped(b" " * 65_537), FetchFailure.TOO_LARGE),
    ("gzip cut short", lambda: Response(gzip.compress(b"{}")[:-4], 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("gzip in name only", lambda: Response(b"{}", 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("gzip and more", lambda: Response(gzip.compress(b"{}") + b"x", 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("brotli", lambda: Response(b"{}", 200, {"Content-Encoding": "br"}), FetchFailure.ENCODING),
    ("gzip twice", lambda: Response(b"{}", 200, {"Content-Encoding": "gzip, gzip"}), FetchFailure.ENCODING),
    ("trickling", lambda: Response(trickle()), FetchFailure.TIMEOUT),
]  # fmt: skip


@pytest.mark.parametrize(("what", "answer", "failure"), BAD, ids=[case[0] for case in BAD])
def test_bad_answers(
    what: str, answer: Callable[[], Response], failure: FetchFailure, run: Run, issuer: LocalIssuer
) -> None:
    """Each is a FetchError of its class, within the bounds of time and memory."""
    issuer.serve("/jwks", answer())

    async def scenario() -> None:
        try:
            async with asyncio.timeout(1.0 if what == "trickling" else 60.0):  # the total timeout is the refresher's
                await fetch(issuer.jwks_uri)
        except TimeoutError as exc:
            raise FetchError(FetchFailure.TIMEOUT) from exc

    with pytest.raises(FetchError) as failed:
        run(scenario())
    assert failed.value.failure is failure


def raw_server(answer: bytes) -> socket.socket:
    """A listener of which the test takes one connection, and writes `answer` into it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)

    import threading

    threading.Thread(target=serve, daemon=True).start()
    return listener


GARBAGE = [
    ("hangs up", b""),
    ("no HTTP", b"SSH-2.0-OpenSSH\r\n\r\n"),
    ("cut in the head", b"HTTP/1.1 200 OK\r\nContent-"),
    ("cut in the body", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
    ("a broken chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    ("an endless head", b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 20_000),
]


@pytest.mark.parametrize(("what", "answer"), GARBAGE, ids=[case[0] for case in GARBAGE])
def test_non_http_response_is_a_protocol_error(what: str, answer: bytes, run: Run) -> None:
    """What is no HTTP answer is a FetchError too."""
    with raw_server(answer) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/jwks"
        with pytest.raises(FetchError) as failed:
            run(fetch(url))
    assert failed.value.failure is FetchFailure.PROTOCOL


def test_closed_port_is_a_connect_error(run: Run, issuer: LocalIssuer) -> None:
    """An issuer that is down."""
    issuer.down()
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri))
    assert failed.value.failure is FetchFailure.CONNECT


def test_unknown_host_name_is_a_dns_error(run: Run) -> None:
    """RFC 6761 keeps `.invalid` for that."""
    with pytest.raises(FetchError) as failed:
        run(fetch("https://issuer.invalid/jwks"))
    assert failed.value.failure in (FetchFailure.DNS, FetchFailure.TIMEOUT)


def test_slow_issuer_times_out(run: Run, issuer: LocalIssuer) -> None:
    """No answer within the read timeout."""
    issuer.hold()
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri, read_timeout=0.2))
    issuer.release()
    assert failed.value.failure is FetchFailure.TIMEOUT


def test_server_that_never_accepts_times_out(run: Run) -> None:
    """A listener whose queue is full leaves a connection attempt without an answer."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        with pytest.raises(FetchError) as failed:
            run(fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/jwks", connect_timeout=0.3, read_timeout=0.3))
        assert failed.value.failure is FetchFailure.TIMEOUT


def test_request_headers(run: Run, issuer: LocalIssuer) -> None:
    """The configured headers, no cookies and nothing that says more about us than the name."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(b"{}", 200, {**JSON, "Set-Cookie": "track=1"})

    issuer.serve("/jwks", answer)

    async def scenario() -> None:
        client = IssuerHTTPClient(JWKSOptions(headers={"X-Api-Key": "k", "User-Agent": "mine"}).http_settings())
        for _ in range(2):
            await client.get(issuer.jwks_uri, {"if-none-match": '"tag"'})
        await client.aclose()

    run(scenario())
    assert len(seen) == 2
    for request in seen:
        assert request.headers["x-api-key"] == "k"
        assert request.headers["user-agent"] == "mine"
        assert request.headers["accept-encoding"] == "gzip"
        assert request.headers["if-none-match"] == '"tag"'
        assert "cookie" not in request.headers


def test_repeated_header_is_one_list(run: Run, issuer: LocalIssuer) -> None:
    """RFC 9110 section 5.3: two `Cache-Control` lines are one, so that no line hides another."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\nCACHE-CONTROL: no-cache\r\n\r\n{}"
    with raw_server(head) as listener:
        response = run(fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/jwks"))
    assert response.cache_control == "max-age=60, no-cache"


def test_clock_of_a_client_is_the_one_it_was_given() -> None:
    """Sources of keys ask it what time it is."""
    clock = FakeClock()
    client = IssuerHTTPClient(JWKSOptions().http_settings(), clock=clock)
    assert (client.now(), client.monotonic()) == (clock.now(), clock.monotonic())


def test_conditional_request_accepts_304(run: Run, issuer: LocalIssuer) -> None:
    """Then there is no body, and the headers count."""
    issuer.jwks_headers = {"Cache-Control": "max-age=77"}

    async def scenario() -> tuple[HTTPResponse, HTTPResponse]:
        client = IssuerHTTPClient(JWKSOptions().http_settings())
        first = await client.get(issuer.jwks_uri)
        second = await client.get(issuer.jwks_uri, {"if-none-match": first.etag or ""})
        await client.aclose()
        return first, second

    first, second = run(scenario())
    assert first.body is not None
    assert second.body is None
    assert (first.lifetime, second.lifetime, second.etag) == (77, 77, first.etag)
