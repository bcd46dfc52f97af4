"""What replaces what: an answer that was asked for later, whatever the wall clock was set to in between."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bearward import JWKSOptions
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.entry import Entry
from bearward.jwks.freshness import Trigger
from bearward.jwks.key_state import KeyState
from bearward.testing import SigningKey, json_octets

KEYS = {name: SigningKey.generate("EdDSA", kid=name) for name in ("old", "new")}
CASES = {
    # now, when the held one was asked for, when the other was asked for: is it taken?
    "asked for later": (20.0, 10.0, 15.0, True),
    "asked for earlier": (20.0, 10.0, 5.0, False),
    "asked for at the same moment": (20.0, 10.0, 10.0, True),
    "asked for now, after the wall clock was set back": (6.0, 10.0, 6.0, True),
    "asked for before now, after the wall clock was set back": (6.0, 10.0, 5.0, False),
}


class Clock:
    """A wall clock that can be set."""

    def __init__(self, now: float) -> None:
        self.wall = now
        self.steady = 10.0

    def now(self) -> float:
        """The wall clock."""
        return self.wall

    def monotonic(self) -> float:
        """Stands still unless a test sets it."""
        return self.steady


def _entry(name: str, fetched_at: float, **members: object) -> Entry:
    document = json_octets({"keys": [KEYS[name].public_jwk()], **members})
    return Entry(JWKSet.parse(document), document, fetched_at, 100.0)


@pytest.mark.parametrize("case", CASES)
def test_later_request_wins(case: str) -> None:
    """Other keys are taken if they were asked for no earlier than those that are held, and else are left."""
    now, first, second, taken = CASES[case]
    clock = Clock(first)
    state = KeyState("https://login.example/", JWKSOptions(), clock, lambda: 0.0)
    state.accept(_entry("old", first))
    clock.wall = now
    assert state.accept(_entry("new", second)) is taken
    assert state.held is not None
    assert state.held.jwk_set.holds("new") is taken


@pytest.mark.parametrize(("now", "taken"), [(20.0, False), (109.9, False), (110.0, True)])
def test_bundle_of_a_lower_sequence_is_taken_only_once_the_held_one_is_over(now: float, taken: bool) -> None:
    """It comes from a replica that lags behind, or a publisher that starts anew is followed once nothing else is left."""
    clock = Clock(10.0)
    state = KeyState("https://login.example/", JWKSOptions(stale_if_error=0), clock, lambda: 0.0)
    state.accept(_entry("new", 10.0, spiffe_sequence=2))
    clock.wall = clock.steady = now
    assert state.accept(_entry("old", now, spiffe_sequence=1)) is taken
    assert state.held is not None
    assert state.held.jwk_set.holds("old") is taken


def test_failure_is_new_if_the_last_attempt_did_not_fail_so() -> None:
    """The same one again is not; what comes between makes it new."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    failures = [FetchFailure.CONNECT, FetchFailure.CONNECT, FetchFailure.TIMEOUT, FetchFailure.CONNECT]
    assert [state.record_failure(FetchError(failure)) for failure in failures] == [True, False, True, True]
    state.accept(_entry("new", 10.0))
    assert state.record_failure(FetchError(FetchFailure.CONNECT))


def test_same_response_twice_changes_nothing() -> None:
    """What a sibling took from the same answer leaves everything as it is."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    state.accept(_entry("old", 10.0))
    held, entry = state.held, state.entry
    assert state.accept(_entry("old", 10.0)) is False
    assert (state.held, state.entry) == (held, entry)


def test_wall_clock_set_forward_during_a_fetch_does_not_make_its_result_old() -> None:
    """The set is accepted, with a new generation, and fresh by the monotonic clock from the last request at least."""
    clock = Clock(10.0)
    state = KeyState("https://login.example/", JWKSOptions(), clock, lambda: 0.0)
    state.accept(_entry("old", 10.0))
    fresh_until = state.record.fresh_until
    clock.wall = 5000.0
    assert state.accept(_entry("new", 12.0)) is True
    assert state.held is not None
    assert state.held.generation == state.record.generation == 2
    assert state.record.fresh_until == fresh_until
    assert state.usable() is state.held


def test_retry_after_is_at_least_a_second() -> None:
    """Also where an attempt is allowed at this very moment."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    assert state.retry_after() == 1.0


def test_kid_that_a_refresh_brought_is_not_remembered_as_unknown() -> None:
    """Whoever waited for that refresh finds it."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    state.accept(_entry("new", 10.0))
    state.record_unknown_kid("new", 10.0)
    state.record_unknown_kid("other", 10.0)
    assert not state.unknown.holds("new", 10.0)
    assert state.unknown.holds("other", 10.0)


def test_kid_is_remembered_as_unknown_before_any_keys_were_held() -> None:
    """Whoever asks for it in the next second causes no request."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    state.record_unknown_kid("new", 10.0)
    assert state.unknown.holds("new", 10.0)


def test_health_says_when_keys_were_fetched_and_when_they_will_be() -> None:
    """The last success by the wall clock, the next attempt in seconds: none before the first, zero while one runs."""
    clock = Clock(500.0)
    state = KeyState("https://login.example/", JWKSOptions(refresh_fraction=0.5), clock, lambda: 0.0)
    assert (state.health().last_success, state.health().next_refresh) == (None, None)
    state.record_attempt(Trigger.LOOKUP)
    assert (state.health(in_flight=True).last_success, state.health(in_flight=True).next_refresh) == (None, 0.0)
    state.accept(_entry("new", 500.0))
    clock.wall, clock.steady = 530.0, 40.0
    assert (state.health().last_success, state.health().next_refresh) == (500.0, 20.0)
    assert state.health(in_flight=True).next_refresh == 0.0


def test_health_of_keys_that_never_change_has_no_endless_numbers() -> None:
    """JSON knows none: neither for how long they may be used, nor when they are fetched again."""
    state = KeyState("https://login.example/", JWKSOptions(), Clock(10.0), lambda: 0.0)
    state.record_attempt(Trigger.LOOKUP)
    state.accept(replace(_entry("new", 10.0), lifetime=math.inf))
    assert (state.health().stale_left, state.health().next_refresh) == (None, None)
    assert state.never_changes
