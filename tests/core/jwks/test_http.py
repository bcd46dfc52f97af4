"""The HTTP boundary against a real server that misbehaves in every way we could think of."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bearward.jwks.connect import GuardedBackend
from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.http import HTTPAnswer, HTTPClient
from bearward.jwks.options import JWKSOptions
from bearward.testing import Answer, LocalIssuer, Request
from tests.conftest import Run

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


async def fetch(url: str, *, unsafe_allow_http: bool = False, **options: Any) -> HTTPAnswer:
    """One GET, with a client that is closed afterwards."""
    client = HTTPClient(JWKSOptions(**options), unsafe_allow_http=unsafe_allow_http)
    try:
        return await client.get(url)
    finally:
        await client.aclose()


def gzipped(body: bytes, **headers: str) -> Answer:
    """The body in one gzip member."""
    return Answer(gzip.compress(body), 200, {**JSON, "Content-Encoding": "gzip", **headers})


def trickle() -> Iterable[bytes]:
    """A byte now and then, for ever: each read succeeds in time."""
    while True:
        yield b" "
        time.sleep(0.05)


GOOD: list[tuple[str, Answer]] = [
    ("plain", Answer(b'{"keys": []}', 200, JSON)),
    ("gzip", gzipped(b'{"keys": []}')),
    ("chunked", Answer([b'{"keys"', b": []}"], 200, JSON)),
    ("gzip, chunked", Answer([gzip.compress(b'{"keys": []}')], 200, {"Content-Encoding": "x-gzip"})),
    ("another content type", Answer(b'{"keys": []}', 200, {"Content-Type": "text/html"})),
    ("no content type", Answer(b'{"keys": []}', 200)),
]


@pytest.mark.parametrize(("what", "answer"), GOOD, ids=[case[0] for case in GOOD])
def test_good_answers(what: str, answer: Answer, run: Run, issuer: LocalIssuer) -> None:
    """The body counts, not what it calls itself: static file hosts serve keys as anything."""
    issuer.serve("/jwks", answer)
    assert run(fetch(issuer.jwks_uri)).body == b'{"keys": []}'


BAD: list[tuple[str, Callable[[], Answer], FetchFailure]] = [
    ("301", lambda: Answer(b"", 301, {"Location": "https://evil.example/jwks"}), FetchFailure.REDIRECT),
    ("307 to itself", lambda: Answer(b"", 307, {"Location": "/jwks"}), FetchFailure.REDIRECT),
    ("304 without a condition", lambda: Answer(b"", 304), FetchFailure.REDIRECT),
    ("404", lambda: Answer(b"", 404), FetchFailure.NOT_FOUND),
    ("410", lambda: Answer(b"", 410), FetchFailure.NOT_FOUND),
    ("403", lambda: Answer(b"", 403), FetchFailure.STATUS),
    ("500", lambda: Answer(b"", 500), FetchFailure.STATUS),
    ("503", lambda: Answer(b"", 503, {"Retry-After": "1"}), FetchFailure.STATUS),
    ("204", lambda: Answer(b"", 204), FetchFailure.STATUS),
    ("206", lambda: Answer(b"{", 206), FetchFailure.STATUS),
    ("too large", lambda: Answer(b" " * 65_537), FetchFailure.TOO_LARGE),
    ("too large, chunked", lambda: Answer([b" " * 1024] * 65), FetchFailure.TOO_LARGE),
    ("endless", lambda: Answer(itertools.repeat(b" " * 1024)), FetchFailure.TOO_LARGE),
    ("gzip bomb", lambda: gzipped(b" " * 50_000_000), FetchFailure.TOO_LARGE),
    ("a gzip bomb's first byte too many", lambda: gzipped(b" " * 65_537), FetchFailure.TOO_LARGE),
    ("gzip cut short", lambda: Answer(gzip.compress(b"{}")[:-4], 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("gzip in name only", lambda: Answer(b"{}", 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("gzip and more", lambda: Answer(gzip.compress(b"{}") + b"x", 200, {"Content-Encoding": "gzip"}), FetchFailure.ENCODING),
    ("brotli", lambda: Answer(b"{}", 200, {"Content-Encoding": "br"}), FetchFailure.ENCODING),
    ("gzip twice", lambda: Answer(b"{}", 200, {"Content-Encoding": "gzip, gzip"}), FetchFailure.ENCODING),
    ("trickling", lambda: Answer(trickle()), FetchFailure.TIMEOUT),
]  # fmt: skip


@pytest.mark.parametrize(("what", "answer", "failure"), BAD, ids=[case[0] for case in BAD])
def test_bad_answers(
    what: str, answer: Callable[[], Answer], failure: FetchFailure, run: Run, issuer: LocalIssuer
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
def test_garbage(what: str, answer: bytes, run: Run) -> None:
    """What is no HTTP answer is a FetchError too."""
    with raw_server(answer) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/jwks"
        with pytest.raises(FetchError) as failed:
            run(fetch(url))
    assert failed.value.failure is FetchFailure.PROTOCOL


def test_nobody_listens(run: Run, issuer: LocalIssuer) -> None:
    """An issuer that is down."""
    issuer.down()
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri))
    assert failed.value.failure is FetchFailure.CONNECT


def test_a_name_that_does_not_exist(run: Run) -> None:
    """RFC 6761 keeps `.invalid` for that."""
    with pytest.raises(FetchError) as failed:
        run(fetch("https://issuer.invalid/jwks"))
    assert failed.value.failure in (FetchFailure.CONNECT, FetchFailure.TIMEOUT)


def test_an_issuer_that_takes_its_time(run: Run, issuer: LocalIssuer) -> None:
    """No answer within the read timeout."""
    issuer.hold()
    with pytest.raises(FetchError) as failed:
        run(fetch(issuer.jwks_uri, read_timeout=0.2))
    issuer.release()
    assert failed.value.failure is FetchFailure.TIMEOUT


def test_nobody_accepts(run: Run) -> None:
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


def test_what_is_sent(run: Run, issuer: LocalIssuer) -> None:
    """The configured headers, no cookies and nothing that says more about us than the name."""
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer(b"{}", 200, {**JSON, "Set-Cookie": "track=1"})

    issuer.serve("/jwks", answer)

    async def scenario() -> None:
        client = HTTPClient(JWKSOptions(headers={"X-Api-Key": "k", "User-Agent": "mine"}))
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


def test_a_conditional_request_may_be_answered_by_304(run: Run, issuer: LocalIssuer) -> None:
    """Then there is no body, and the headers count."""
    issuer.jwks_headers = {"Cache-Control": "max-age=77"}

    async def scenario() -> tuple[HTTPAnswer, HTTPAnswer]:
        client = HTTPClient(JWKSOptions())
        first = await client.get(issuer.jwks_uri)
        second = await client.get(issuer.jwks_uri, {"if-none-match": first.etag or ""})
        await client.aclose()
        return first, second

    first, second = run(scenario())
    assert first.body is not None
    assert second.body is None
    assert (first.lifetime, second.lifetime, second.etag) == (77, 77, first.etag)


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


REFUSED_URLS = ["http://login.example/jwks", "ftp://login.example/jwks", "nonsense"]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_urls_are_checked_at_each_request(url: str, run: Run) -> None:
    """Whoever came by the URL: https, or loopback."""
    with pytest.raises(FetchError) as failed:
        run(fetch(url))
    assert failed.value.failure is FetchFailure.URL_REFUSED


LITERALS = [
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "[fd00:ec2::254]",
    "0.0.0.0",
    "[::ffff:10.0.0.1]",
    "2130706433",
]


@pytest.mark.parametrize("host", LITERALS)
def test_private_and_metadata_addresses_are_not_connected_to(host: str, run: Run) -> None:
    """Written out in the URL, in whatever notation the resolver takes."""
    with pytest.raises(FetchError) as failed:
        run(fetch(f"https://{host}/jwks"))
    assert failed.value.failure is FetchFailure.ADDRESS_REFUSED


def test_a_public_name_that_resolves_to_loopback_is_refused(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged is the address that the name server gave, and that very address is connected to."""
    resolver, asked = socket.getaddrinfo, []

    def rebind(host: Any, *args: Any, **more: Any) -> Any:
        """A name server that answers for `login.example`."""
        asked.append(host)
        return resolver("127.0.0.1" if host == "login.example" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    url = issuer.jwks_uri.replace("127.0.0.1", "login.example")
    with pytest.raises(FetchError) as failed:
        run(fetch(url, unsafe_allow_http=True))
    assert failed.value.failure is FetchFailure.ADDRESS_REFUSED
    assert issuer.requests() == 0
    assert run(fetch(url, unsafe_allow_http=True, unsafe_allow_private_addresses=True)).body
    assert asked.count("login.example") == 2


def test_the_next_address_is_tried(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead address and a living one."""
    resolver = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        return resolver("127.0.0.2", port, *args, **more) + resolver("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert run(fetch(issuer.jwks_uri.replace("127.0.0.1", "localhost"))).body


def test_the_guard_has_a_time_limit_for_names(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer is a timeout, like a server that does not."""

    def silent(*args: Any, **more: Any) -> list[Any]:
        time.sleep(0.5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with pytest.raises(FetchError) as failed:
        run(fetch("https://login.example/jwks", connect_timeout=0.05))
    assert failed.value.failure is FetchFailure.TIMEOUT


def test_the_backend_of_the_transport_can_sleep(run: Run) -> None:
    """Its interface asks for it, for retries that we do not make."""
    run(GuardedBackend(unsafe_allow_private=False).sleep(0))


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
