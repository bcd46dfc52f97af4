"""Several sources in order: whatever is wrong with the first, those after it still get their turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.bug_reports import forget_reports
from bearward.fetch.caching import Validators
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient
from bearward.jwks.options import JWKSOptions
from bearward.jwks.source import Loaded, description
from bearward.jwks.source_chain import FirstUsable
from bearward.jwks.sources import JWKSURI, File, Static
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.support import eventually, started


class Own:
    """A source that does what it is told."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Answer a document, hang, or raise."""
        if self._answer is None:
            await asyncio.Event().wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return Loaded(self._answer)


FIRST = {
    "it hangs": (None, FetchFailure.TIMEOUT),
    "it has a time limit of its own": (TimeoutError(), FetchFailure.TIMEOUT),
    "it is down": (FetchError(FetchFailure.CONNECT), FetchFailure.CONNECT),
    "it answers with a page": (b"<html>", FetchFailure.NOT_A_KEY_SET),
    "it answers with an empty set": (b'{"keys": []}', FetchFailure.NOT_A_KEY_SET),
    "it has a bug": (ZeroDivisionError(), FetchFailure.INTERNAL),
}


@pytest.mark.parametrize("why", FIRST)
def test_next_source_is_tried_after_each_failure(why: str, run: Run, issuer: LocalIssuer) -> None:
    """Within the same attempt; and if all fail, the first one's trouble is told."""
    answer, failure = FIRST[why]
    document = json.dumps(issuer.keys.jwks()).encode()
    client = IssuerHTTPClient(JWKSOptions().http_settings())
    loaded = run(FirstUsable([Own(answer), Static(document)], JWKSOptions(total_timeout=0.2)).load(client, None))
    assert loaded.document == document
    with pytest.raises(FetchError) as failed:
        run(FirstUsable([Own(answer), Own(answer)], JWKSOptions(total_timeout=0.2)).load(client, None))
    assert failed.value.failure is failure


@pytest.mark.parametrize("why", FIRST)
def test_bug_of_a_source_is_logged_though_the_next_one_answers(
    why: str, run: Run, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Else nobody would hear of it; what is an ordinary failure is no bug."""
    forget_reports()
    answer, failure = FIRST[why]
    chain = FirstUsable([Own(answer), Static(json.dumps(issuer.keys.jwks()).encode())], JWKSOptions(total_timeout=0.2))
    run(chain.load(IssuerHTTPClient(JWKSOptions().http_settings()), None))
    reported = f"a source failed in an unexpected way: {__name__}.Own" in caplog.text
    assert reported is (failure is FetchFailure.INTERNAL)


def test_slow_first_source_leaves_time_for_the_next(run: Run, issuer: LocalIssuer) -> None:
    """Each has its share of `total_timeout`, however busy the one before it looks."""
    document = json.dumps(issuer.keys.jwks()).encode()
    over, begun, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while not over.is_set() and not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    async def scenario() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        async with server:
            slow = JWKSURI(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks")
            options = JWKSOptions(sources=(slow, Static(document)), total_timeout=1.0, start_wait=30)
            async with started(TrustedIssuer("https://login.example", audience="a", jwks_options=options)) as (_, keys):
                assert keys.current() is not None
                assert keys.health().failures == 0
            over.set()
            if begun.is_set():  # on a busy machine its share of the time may end before it is even connected
                await ended.wait()

    run(scenario())


def test_changed_file_among_several_sources_is_read_again(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """One that comes before the source that answered is taken as soon as it is there; one after it is not asked."""
    first, last = tmp_path / "first.json", tmp_path / "last.json"
    document = json.dumps(issuer.keys.jwks())
    other = LocalIssuer(algorithms=["ES256"])
    sources = (File(first), Static(document.encode()), File(last))
    options = JWKSOptions(sources=sources, poll_interval=0.05, start_wait=30)

    async def scenario() -> None:
        async with started(TrustedIssuer("https://login.example", audience="a", jwks_options=options)) as (_, keys):
            held = keys.current()
            assert held is not None
            last.write_text(document)
            (tmp_path / "new").write_text(json.dumps(other.keys.jwks()))
            (tmp_path / "new").rename(first)
            await eventually(lambda: keys.current() is not held)
            assert keys.health().attempts == 2

    run(scenario())


def test_unreadable_file_does_not_cause_requests_to_the_next_source(
    run: Run, tmp_path: Path, issuer: LocalIssuer
) -> None:
    """It was looked at: there is no news in it until it changes, so the source after it is not asked at each look."""
    path = tmp_path / "jwks.json"
    path.mkdir()
    chain = FirstUsable([File(path), JWKSURI(issuer.jwks_uri)], JWKSOptions())

    async def scenario() -> None:
        client = IssuerHTTPClient(JWKSOptions().http_settings())
        await chain.load(client, None)
        await client.aclose()
        assert not await chain.changed()

    run(scenario())


def test_source_that_has_not_changed_is_no_failure(run: Run, issuer: LocalIssuer) -> None:
    """A 304 of the first one: the next is not asked, and what is held is fresh again."""
    options = JWKSOptions(sources=(JWKSURI(issuer.jwks_uri), Own(ZeroDivisionError())), start_wait=30)
    issuer.conditional = True

    async def scenario() -> None:
        async with started(TrustedIssuer("https://login.example", audience="a", jwks_options=options)) as (_, keys):
            held = keys.current()
            assert held is not None
            await keys.refresh()
            assert keys.current() is held
            assert (keys.health().attempts, keys.health().last_error) == (2, None)

    run(scenario())
    assert issuer.requests() == 2


def test_sources_are_described_by_what_they_are() -> None:
    """So that processes agree on the name: no address of an object in it."""
    chain = FirstUsable([Own(b""), JWKSURI("https://login.example/jwks")], JWKSOptions())
    assert description(chain) == f"FirstUsable({__name__}.Own, JWKSURI('https://login.example/jwks'))"
