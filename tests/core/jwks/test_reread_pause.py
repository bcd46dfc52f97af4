"""How soon a document in the shared cache is read again after a look at it was in vain."""

from __future__ import annotations

import pytest

from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.polling import _poll_versions
from bearward.jwks.reread_pause import RereadPause
from bearward.jwks.stored_entry import max_text
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, fleet, policy

FLOOD = "x" * 1_048_576
POLLS = 40
LOOKS = 5  # at once, and after 1, 3, 7 and 15 of the 20 seconds


@pytest.mark.parametrize("what", ["a look that was worth it", "a quiet minute"])
def test_pause_doubles_up_to_a_minute_and_begins_anew(what: str) -> None:
    """One look in vain costs a second, and many of them a minute each; afterwards it is a second again."""
    clock = FakeClock()
    pause = RereadPause(clock.monotonic)
    for seconds in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        assert not pause.active
        pause.lengthen()
        clock.forward(seconds - 0.25)
        assert pause.active
        clock.forward(0.25)
    if what == "a quiet minute":
        clock.forward(60.0)
    else:
        pause.lengthen()
        pause.end()
    assert not pause.active
    pause.lengthen()
    clock.forward(1.0)
    assert not pause.active


@pytest.mark.parametrize("document", [FLOOD, None], ids=["a mebibyte", "the document as it was"])
def test_document_that_is_no_news_is_read_ever_less_often_and_never_beyond_its_bound(
    document: str | None, run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """Somebody writes another version text before each poll, and what they like in the document's place."""
    clock = FakeClock()

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600)
        async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (keys,):
            await keys.get()
            names = keys.fleet
            assert isinstance(names, IssuerFleet)
            if document is not None:
                await names._cache.put(names._keys.document, document, 3600)
            reads, octets = valkey.reads(), valkey.octets_sent()
            for number in range(POLLS):
                await names._cache.put(names._keys.version, f"{number}", 3600)
                await _poll_versions([keys], names._cache)
                clock.forward(0.5)
            assert valkey.reads() - reads == POLLS + LOOKS
            assert valkey.octets_sent() - octets < (LOOKS + 1) * max_text(65_536)

    run(scenario())


@pytest.mark.parametrize("there", [True, False], ids=["the version as it was", "no version"])
def test_document_is_not_read_unless_there_is_another_version(
    there: bool, run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """A poll reads one short text."""

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600)
        async with fleet(trusted, 1, FakeClock(), cache=valkey.url, cache_secret=SECRET) as (keys,):
            await keys.get()
            names = keys.fleet
            assert isinstance(names, IssuerFleet)
            if not there:
                (version,) = await names._cache.get([names._keys.version])
                await names._cache.release_lease(names._keys.version, version or "")
            reads = valkey.reads()
            await _poll_versions([], names._cache)  # where no issuer shares its keys there is nothing to ask for
            assert (valkey.reads(), keys.health().cache) == (reads, "ok")
            for _ in range(3):
                await _poll_versions([keys], names._cache)
            assert valkey.reads() - reads == 3
            assert (await names._cache.get([names._keys.version]) != [None]) is there

    run(scenario())


def test_long_version_text_is_read_in_part(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """It is read at each poll, so no more of it than one may have."""
    clock = FakeClock()

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600)
        async with fleet(trusted, 1, clock, cache=valkey.url, cache_secret=SECRET) as (keys,):
            await keys.get()
            names = keys.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._keys.version, FLOOD, 3600)
            octets = valkey.octets_sent()
            for _ in range(POLLS):
                await _poll_versions([keys], names._cache)
            assert valkey.octets_sent() - octets < max_text(65_536)

    run(scenario())


def test_news_after_a_look_in_vain_are_learned_once_the_pause_is_over(
    run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """A process that was misled once is a second late, and no more."""
    clock = FakeClock()

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600)
        async with fleet(trusted, 2, clock, cache=valkey.url, cache_secret=SECRET) as (one, other):
            await one.get()
            await other.get()
            names = one.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._keys.version, "no news", 3600)
            await _poll_versions([one], names._cache)
            clock.forward(0.5)
            kid = issuer.rotate().kid
            assert (await other.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            await _poll_versions([one], names._cache)
            assert not one.current().jwk_set.holds(kid)  # type: ignore[union-attr]
            clock.forward(0.5)
            await _poll_versions([one], names._cache)
            assert one.current().jwk_set.holds(kid)  # type: ignore[union-attr]

    run(scenario())


def test_document_of_another_process_that_was_read_is_no_news_to_the_poll(
    run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """However it was read: a look in vain would be counted, and the poll wait longer for what comes next."""

    async def scenario() -> None:
        trusted = policy(issuer, poll_interval=3600)
        async with fleet(trusted, 2, FakeClock(), cache=valkey.url, cache_secret=SECRET) as (one, two):
            await one.get()
            await two.get()
            names = two.fleet
            assert isinstance(names, IssuerFleet)
            await _poll_versions([two], names._cache)
            assert not names.is_pausing

    run(scenario())
