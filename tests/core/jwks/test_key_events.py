"""The events of one issuer's keys: what becomes of each state, and of listeners and sources with a bug."""

from __future__ import annotations

import logging

import pytest

from bearward import JWKSOptions
from bearward.bug_reports import forget_reports
from bearward.events import Event, KeySetChanged, KeysStateChanged
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.freshness import Freshness
from bearward.jwks.key_events import KeyEvents
from bearward.jwks.key_state import KeyState
from bearward.testing import SigningKey, json_octets
from tests.core.fake_clock import FakeClock

ISSUER = "https://login.example/"
FRESH, DUE, EXPIRED = Freshness.FRESH, Freshness.REFRESH_DUE, Freshness.EXPIRED
STALE, UNAVAILABLE = Freshness.STALE, Freshness.UNAVAILABLE


def reporting() -> tuple[KeyEvents, list[Event]]:
    """The events of an issuer whose keys are not held yet."""
    seen: list[Event] = []
    state = KeyState(ISSUER, JWKSOptions(), FakeClock(), lambda: 0.0)
    return KeyEvents(seen.append, state.health), seen


STATES: dict[str, tuple[list[Freshness], list[tuple[str, bool, bool]]]] = {
    # the states in turn, and what is reported: the state, whether it is a problem, whether it is over one
    "the first keys are no recovery": ([UNAVAILABLE, FRESH], [("fresh", False, False)]),
    "the first keys may be old": ([EXPIRED], [("expired", False, False)]),
    "a refresh that is due is the ordinary course": ([FRESH, DUE, FRESH, DUE], [("fresh", False, False)]),
    "the same state is reported once": ([FRESH, FRESH, FRESH], [("fresh", False, False)]),
    "fresh keys after expired ones are no recovery": (
        [FRESH, EXPIRED, FRESH],
        [("fresh", False, False), ("expired", False, False), ("fresh", False, False)],
    ),
    "fresh keys after stale ones are": (
        [FRESH, STALE, FRESH],
        [("fresh", False, False), ("stale", True, False), ("fresh", False, True)],
    ),
    "and after lost ones, even if they are due again": (
        [FRESH, STALE, UNAVAILABLE, DUE],
        [("fresh", False, False), ("stale", True, False), ("unavailable", True, False), ("fresh", False, True)],
    ),
    "stale keys that come first are a problem, and fresh ones after them the first": (
        [STALE, FRESH],
        [("stale", True, False), ("fresh", False, False)],
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_change_of_state_is_reported_once_with_what_it_means(case: str) -> None:
    """Whether a person should look, and whether what a person had to look at is over."""
    states, expected = STATES[case]
    events, seen = reporting()
    for state in states:
        events.record_state(state)
    changes = [event for event in seen if isinstance(event, KeysStateChanged)]
    assert [(event.state, event.is_problem, event.recovered) for event in changes] == expected
    assert {event.issuer for event in changes} == {ISSUER}


def _key_set(*keys: SigningKey) -> JWKSet:
    return JWKSet.parse(json_octets({"keys": [key.public_jwk() for key in keys]}))


@pytest.mark.parametrize("fails", [False, True])
def test_listener_is_called_when_the_keys_are_others(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """After observers are told how many came and went; an exception of a listener is logged without its text."""
    forget_reports()
    events, seen = reporting()
    called: list[int] = []

    def listen() -> None:
        called.append(len(seen))
        if fails:
            raise ValueError("a secret")

    one, two, three = (SigningKey.generate("EdDSA") for _ in range(3))
    events.record_change(_key_set(one), _key_set(two, three), listen)
    (event,) = seen
    assert isinstance(event, KeySetChanged)
    assert (event.issuer, event.added, event.removed) == (ISSUER, 2, 1)
    assert called == [1]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * fails
    assert ("a listener for changed keys failed: ValueError" in caplog.text) is fails
    assert "a secret" not in caplog.text


def test_source_with_a_bug_is_logged_with_its_issuer(caplog: pytest.LogCaptureFixture) -> None:
    """And without what the exception says."""
    forget_reports()
    events, seen = reporting()
    events.record_bug(ZeroDivisionError("a secret"))
    assert f"refreshing the keys of {ISSUER} failed in an unexpected way: ZeroDivisionError" in caplog.text
    assert "a secret" not in caplog.text
    assert seen == []
