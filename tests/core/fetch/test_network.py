"""Which URLs and addresses a fetch goes to: judged at each request, and after the name was resolved."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bearward.fetch.addresses import Network
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.network import GuardedBackend, resolve_host
from bearward.testing import LocalIssuer
from tests.conftest import LOOPS, Run
from tests.core.jwks.support import DEADLINE, fetch

REFUSED_URLS = ["http://login.example/jwks", "ftp://login.example/jwks", "nonsense"]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_urls_are_checked_at_each_request(url: str, run: Run) -> None:
    """Whoever came by the URL: https, or loopback."""
    with pytest.raises(FetchError) as failed:
        run(fetch(url))
    assert failed.value.failure is FetchFailure.URL_REFUSED


def test_fetch_that_is_given_up_in_the_handshake_closes_its_connection(run: Run) -> None:
    """An issuer that never ends its handshakes would otherwise use up the process's connections."""

    async def scenario() -> None:
        begun, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)  # the client's hello has begun
            begun.set()
            while await reader.read(1024):
                pass
            closed.set()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            fetching = asyncio.ensure_future(fetch(f"https://127.0.0.1:{port}/jwks", connect_timeout=300.0))
            await begun.wait()
            fetching.cancel()
            async with asyncio.timeout(DEADLINE):
                await closed.wait()

    run(scenario())


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


def test_public_name_that_resolves_to_loopback_is_refused(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged is the address that the name server gave, and that very address is connected to."""
    resolver, asked = socket.getaddrinfo, []

    def rebind(host: Any, *args: Any, **more: Any) -> Any:
        """A name server that responds for `login.example`."""
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


def test_next_address_is_tried_after_a_dead_one(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead address and a living one."""
    resolver = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        return resolver("127.0.0.2", port, *args, **more) + resolver("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert run(fetch(issuer.jwks_uri.replace("127.0.0.1", "localhost"))).body


def test_silent_address_leaves_time_for_the_next(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address has its share of the connect timeout, so that one behind a broken firewall uses up none of the others'."""
    resolver = socket.getaddrinfo

    def both(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        return resolver("127.0.0.2", port, *args, **more) + resolver("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.2", issuer.port))
        silent.listen(0)
        for client in (first, second):  # a queue that is full leaves an attempt to connect without an answer
            client.setblocking(False)
            client.connect_ex(silent.getsockname())

        async def scenario() -> bytes | None:
            async with asyncio.timeout(30):
                return (await fetch(issuer.jwks_uri.replace("127.0.0.1", "localhost"), connect_timeout=2.0)).body

        assert run(scenario())


def test_transport_may_set_no_time_limit(run: Run, issuer: LocalIssuer) -> None:
    """Its interface allows that, though no fetch makes use of it."""

    async def scenario() -> None:
        stream = await GuardedBackend(unsafe_allow_private=False).connect_tcp("127.0.0.1", issuer.port)
        await stream.aclose()

    run(scenario())


def test_memory_of_where_hosts_are_is_bounded(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 hosts it is known in which network they were reached, whatever names documents come up with."""
    resolver = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **more: resolver("127.0.0.1", *args, **more))
    names = [f"H{number}.example" for number in range(65)]

    async def scenario() -> list[int]:
        backend = GuardedBackend(unsafe_allow_private=True)
        known = []
        for name in names:
            await (await backend.connect_tcp(name, issuer.port, 30.0)).aclose()
            assert backend.network_reached(name.lower()) is Network.LOOPBACK
            known.append(sum(backend.network_reached(each) is not None for each in names))
        return known

    assert run(scenario())[62:] == [63, 64, 1]


@contextmanager
def silent_names(monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[None]:
    """A name server that does not answer for `names` within the block."""
    resolver, over = socket.getaddrinfo, threading.Event()

    def ask(host: Any, *args: Any, **more: Any) -> Any:
        if host in names:
            over.wait(60)
        return resolver("127.0.0.1" if host.endswith(".example") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    try:
        yield
    finally:
        over.set()


@pytest.mark.parametrize("loop", LOOPS)
def test_name_lookup_has_a_time_limit(loop: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer is a timeout, like a server that does not; the program may end before it."""
    with silent_names(monkeypatch, "login.example"):
        with pytest.raises(FetchError) as failed:
            run(fetch("https://login.example/jwks", connect_timeout=0.05), loop=loop)
        assert failed.value.failure is FetchFailure.TIMEOUT


def test_names_that_hang_cost_no_other_issuer(run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are not answered for, the next one is looked up at once, and threads are free for other work."""
    url = issuer.jwks_uri.replace("127.0.0.1", "login.example")
    hanging = [f"t{number}.example" for number in range(40)]  # the pool of a loop has 32 threads at most

    async def scenario() -> None:
        lost = [asyncio.create_task(fetch(f"https://{name}/jwks", connect_timeout=60)) for name in hanging]
        async with asyncio.timeout(30):
            answer = await fetch(url, unsafe_allow_http=True, unsafe_allow_private_addresses=True, connect_timeout=20)
            assert answer.body
            await asyncio.to_thread(int)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)

    with silent_names(monkeypatch, *hanging):
        run(scenario())


def test_name_lookup_threads_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a fetch fails at once; what was given up makes room again when it ends."""
    monkeypatch.setattr("bearward.fetch.network._lookups.free", threading.BoundedSemaphore(1))

    async def scenario() -> None:
        lost = asyncio.create_task(resolve_host("t.example", 443))
        while not set(threading.enumerate()) - before:  # noqa: ASYNC110  (a thread sets no event of ours)
            await asyncio.sleep(0)
        with pytest.raises(FetchError) as failed:
            await fetch("https://login.example/jwks")
        assert failed.value.failure is FetchFailure.DNS
        lost.cancel()

    before = set(threading.enumerate())  # not their number: others of earlier tests may end meanwhile
    with silent_names(monkeypatch, "t.example"):
        run(scenario())
    for thread in threading.enumerate():
        if thread.name == "bearward looks up t.example":
            thread.join(30)
    assert run(resolve_host("127.0.0.1", 443)) == ["127.0.0.1"]


def test_lookup_that_no_thread_can_be_started_for_fails_at_once(
    run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And takes up no room: the next one is tried again."""
    monkeypatch.setattr("bearward.fetch.network._lookups.free", threading.BoundedSemaphore(1))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(2):
                with pytest.raises(OSError, match="no thread to look a name up"):
                    await resolve_host("127.0.0.1", 443)
        assert await resolve_host("127.0.0.1", 443) == ["127.0.0.1"]

    run(scenario())


def test_lookup_that_was_given_up_ends_without_a_word(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the name server says too late is nobody's any more, and no error of the loop."""
    unhandled: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        with silent_names(monkeypatch, "late.example"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await resolve_host("late.example", 443)
            (late,) = (thread for thread in threading.enumerate() if thread.name == "bearward looks up late.example")
        await asyncio.to_thread(late.join, 30)
        await asyncio.sleep(0)

    run(scenario())
    assert unhandled == []


def test_transport_backend_implements_sleep(run: Run) -> None:
    """Its interface asks for it, for retries that we do not make: others have their turn meanwhile."""

    async def scenario() -> None:
        other = asyncio.create_task(asyncio.sleep(0))
        await GuardedBackend(unsafe_allow_private=False).sleep(0.001)
        assert other.done()

    run(scenario())


FAILED_LOOKUPS = {
    "the system's word": (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
    "our own": (OSError("too many names are being looked up"), "too many names are being looked up"),
    "no word": (OSError(), None),
    "no name": (UnicodeError("label too long"), "label too long"),
}


@pytest.mark.parametrize("what", FAILED_LOOKUPS)
def test_failed_lookup_says_why(what: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the system, without its number; at once, and not when the time for connecting is over."""
    error, detail = FAILED_LOOKUPS[what]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(FetchError) as failed:
        run(fetch("https://login.example/jwks"))
    assert (failed.value.failure, failed.value.detail) == (FetchFailure.DNS, detail)
