"""One refresh: what another process fetched and what a source returned, and whether either is taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bearward.fetch.caching import Validators
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.entry import Entry
from bearward.jwks.freshness import Trigger
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Refresher, RefreshRequest
from bearward.jwks.source import Loaded
from bearward.testing import SigningKey, json_octets
from tests.conftest import Run
from tests.core.fake_clock import FakeClock

KEYS = {name: SigningKey.generate("EdDSA", kid=name) for name in ("old", "new")}
NOW = FakeClock().now()
LOOKUP, UNKNOWN_KID, BAD_SIGNATURE = Trigger.LOOKUP, Trigger.UNKNOWN_KID, Trigger.BAD_SIGNATURE


def document(*names: str, **members: object) -> bytes:
    """A key set of these keys."""
    return json_octets({"keys": [KEYS[name].public_jwk() for name in names], **members})


def entry(octets: bytes, at: float, lifetime: float = 600.0) -> Entry:
    """It, fetched at that time."""
    return Entry(JWKSet.parse(octets), octets, at, lifetime)


OLD, BOTH = document("old"), document("old", "new")
SATISFIED: dict[str, tuple[Trigger, str | None, bytes | None, tuple[bytes, float], bool]] = {
    # why, the kid, what is held (fetched at 100), what was found (fetched at), and whether it will do at 650
    "a newer one": (LOOKUP, None, OLD, (OLD, 101.0), True),
    "the same one": (LOOKUP, None, OLD, (OLD, 100.0), False),
    "an older one": (LOOKUP, None, OLD, (OLD, 99.0), False),
    "any, where none is held": (LOOKUP, None, None, (OLD, 99.0), True),
    "one that is fresh no more": (LOOKUP, None, None, (OLD, 50.0), False),
    "one that is fresh for a moment": (LOOKUP, None, None, (OLD, 50.1), True),
    "a newer one with the kid": (UNKNOWN_KID, "new", OLD, (BOTH, 101.0), True),
    "a newer one without it": (UNKNOWN_KID, "new", OLD, (OLD, 101.0), False),
    "the same one with the kid": (UNKNOWN_KID, "new", OLD, (BOTH, 100.0), False),
    "a newer one for no kid": (UNKNOWN_KID, None, OLD, (BOTH, 101.0), False),
    "a newer one with other keys": (BAD_SIGNATURE, "old", OLD, (BOTH, 101.0), True),
    "a newer one with the same keys": (BAD_SIGNATURE, "old", OLD, (OLD, 101.0), False),
    "the first one": (BAD_SIGNATURE, "old", None, (OLD, 101.0), True),
}


@pytest.mark.parametrize("case", SATISFIED)
def test_set_that_another_process_fetched_saves_a_request(case: str) -> None:
    """If it is newer than what was searched, still fresh, and could help."""
    trigger, kid, held, (found, at), expected = SATISFIED[case]
    request = RefreshRequest(trigger, None if held is None else entry(held, 100.0), kid)
    assert request.is_satisfied_by(entry(found, at), 650.0) is expected


@dataclass
class Own:
    """A source that answers this, or raises it; None: it never answers."""

    answer: Any

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Whatever is known."""
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert isinstance(self.answer, Loaded)
        return self.answer


def refresher(answer: Any, clock: FakeClock | None = None, **options: Any) -> Refresher:
    """One whose source gives this answer."""
    clock = clock or FakeClock()
    settings = JWKSOptions(**{"max_age": 500.0, "min_age": 1.0, "stale_if_error": 100.0, **options})
    return Refresher(Own(answer), IssuerHTTPClient(settings.http_settings(), clock=clock), settings, clock)


HELD = entry(document("old", spiffe_sequence=2), NOW - 100.0)
TAKEN: dict[str, tuple[Loaded, Entry | None, float]] = {
    # the answer, what is held, and for how long the result is fresh
    "a document that says nothing": (Loaded(OLD), None, 500.0),
    "a document that says how long": (Loaded(OLD, 60.0), None, 60.0),
    "a document that says too long": (Loaded(OLD, 5000.0), None, 500.0),
    "a document that says so itself": (Loaded(document("old", spiffe_refresh_hint=20), 60.0), None, 20.0),
    "no news, for some time": (Loaded(None, 60.0), HELD, 60.0),
    "no news, as long as before": (Loaded(None), replace(HELD, lifetime=70.0), 70.0),
    "no news, as long as before but no longer than now allowed": (Loaded(None), replace(HELD, lifetime=5000.0), 500.0),
}


@pytest.mark.parametrize("case", TAKEN)
def test_answer_of_a_source_is_fresh_as_long_as_it_says(case: str, run: Run) -> None:
    """Within the bounds of the options; what is known to be unchanged keeps its keys (RFC 9111 section 3.2)."""
    answer, held, lifetime = TAKEN[case]
    taken = run(refresher(answer).fetch(held))
    assert (taken.fetched_at, taken.lifetime) == (NOW, lifetime)
    if held is not None:
        assert (taken.document, taken.jwk_set) == (held.document, held.jwk_set)


REFUSED: dict[str, tuple[Any, Entry | None, FetchFailure]] = {
    "no news, though nothing is held": (Loaded(None), None, FetchFailure.PROTOCOL),
    "no key set": (Loaded(b"{}"), None, FetchFailure.NOT_A_KEY_SET),
    "nothing in time": (None, None, FetchFailure.TIMEOUT),
    "a failure": (FetchError(FetchFailure.CONNECT), None, FetchFailure.CONNECT),
    "a bundle from before": (Loaded(document("new", spiffe_sequence=1)), HELD, FetchFailure.OLDER),
    "a bundle from before, to the last moment": (
        Loaded(document("new", spiffe_sequence=1)),
        replace(HELD, fetched_at=NOW - 699.9),
        FetchFailure.OLDER,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_answer_of_a_source_that_is_no_usable_set_is_a_failure(case: str, run: Run) -> None:
    """Each has its name."""
    answer, held, failure = REFUSED[case]
    with pytest.raises(FetchError) as failed:
        run(refresher(answer, total_timeout=0.1).fetch(held))
    assert failed.value.failure is failure


def test_bundle_of_a_publisher_that_starts_anew_is_taken_once_the_held_one_is_over(run: Run) -> None:
    """At the end of `stale_if_error` nothing is left to protect."""
    held = replace(HELD, fetched_at=NOW - 700.0)
    taken = run(refresher(Loaded(document("new", spiffe_sequence=1))).fetch(held))
    assert taken.jwk_set.holds("new")


def test_same_document_keeps_the_same_keys(run: Run) -> None:
    """It is not read again; another one is."""
    held = entry(OLD, NOW - 100.0)
    assert run(refresher(Loaded(OLD)).fetch(held)).jwk_set is held.jwk_set
    assert run(refresher(Loaded(BOTH)).fetch(held)).jwk_set.holds("new")


OUTCOMES: dict[str, tuple[Any, FetchFailure | None, list[type[Exception]]]] = {
    "an entry": (Loaded(OLD), None, []),
    "a failure": (FetchError(FetchFailure.CONNECT), FetchFailure.CONNECT, []),
    "a time limit of its own": (TimeoutError(), FetchFailure.TIMEOUT, []),
    "a bug": (ZeroDivisionError(), FetchFailure.INTERNAL, [ZeroDivisionError]),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_refresh_ends_with_an_entry_or_a_failure(case: str, run: Run) -> None:
    """What a source may not raise is told to the caller as a bug."""
    answer, failure, expected = OUTCOMES[case]
    bugs: list[Exception] = []
    outcome = run(refresher(answer).outcome(RefreshRequest(LOOKUP, None), bugs.append))
    assert (outcome.failure if isinstance(outcome, FetchError) else None) is failure
    assert [type(bug) for bug in bugs] == expected


def test_refresh_that_gives_way_ends_at_once(run: Run) -> None:
    """As one that the rate limit refused; where none is under way it changes nothing."""

    async def scenario() -> None:
        one = refresher(None)
        one.give_way()
        task = asyncio.create_task(one.outcome(RefreshRequest(LOOKUP, None), list[Exception]().append))
        await asyncio.sleep(0)
        one.give_way()
        outcome = await task
        assert isinstance(outcome, FetchError)
        assert outcome.failure is FetchFailure.RATE_LIMITED
        one.give_way()

    run(scenario())


class Watched(Own):
    """A source that can tell that it has changed."""

    async def changed(self) -> bool:
        """It always has."""
        return True


@pytest.mark.parametrize(("kind", "expected"), [(Own, False), (Watched, True)])
def test_only_a_source_that_can_tell_is_asked_whether_it_changed(kind: type[Own], expected: bool, run: Run) -> None:
    """Others are fetched when they are due."""
    options = JWKSOptions()
    one = Refresher(kind(Loaded(OLD)), IssuerHTTPClient(options.http_settings()), options, FakeClock())
    assert one.is_change_aware is expected
    assert run(one.changed()) is expected
