"""What a gate reports: one event for each decision, about the caller, and only where somebody wants it."""

from __future__ import annotations

import pytest

from bearward import AuthError, Principal, Refusal, TrustedIssuer, Verifier
from bearward.counters import Counters
from bearward.events import Event, Refused, StreamEnded, Verified, only
from bearward.observers import Observers, notify
from bearward.reporter import Reporter, concerning
from bearward.testing import LocalIssuer, principal_with

ISSUER = LocalIssuer(algorithms=["ES256"], identifier="https://login.example")


def verified_principal() -> Principal:
    """Of a token that a key signed."""
    verifier = Verifier(TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks=ISSUER.keys.jwks()))
    return verifier.verify_now(ISSUER.mint(sub="ada"))


def test_caller_who_is_let_in_is_an_event_only_for_who_asks() -> None:
    """Who wants none is not called, and there is none to annotate."""
    seen: list[Event] = []
    assert Reporter(Observers([only(seen.append, Refused)])).verified(principal_with()) is None
    event = Reporter(Observers([only(seen.append, Verified)])).verified(verified_principal())
    assert seen == [event]


def test_event_names_the_key_where_a_token_was_verified() -> None:
    """A principal that a test made rests on no key."""
    reporter = Reporter(Observers([lambda _: None]))
    named, unnamed = reporter.verified(verified_principal()), reporter.verified(principal_with())
    assert named is not None
    assert unnamed is not None
    assert (named.kid, unnamed.kid) == (ISSUER.key().kid, None)


def test_end_of_a_stream_is_reported_once() -> None:
    """However many places its error passes."""
    seen: list[Event] = []
    reporter, error = Reporter(Observers([seen.append])), AuthError(Refusal.TOKEN_EXPIRED)
    for _ in range(2):
        reporter.ended(error, principal_with())
    assert [type(event) for event in seen] == [StreamEnded]


def test_rules_are_reported_by_transports_alone() -> None:
    """A verifier that is used by itself has none."""
    seen: list[Event] = []
    Reporter(Observers([seen.append])).rules({"GET /": "public"})
    assert seen == []


def test_error_says_whose_token_it_is_about_once() -> None:
    """By the verified token, unless it says so already."""
    about = concerning(AuthError(Refusal.SCOPE_INSUFFICIENT), verified_principal())
    assert (about.issuer, about.kid) == (ISSUER.url, ISSUER.key().kid)
    already = AuthError(Refusal.SCOPE_INSUFFICIENT)
    already.issuer, already.kid = "https://other.example", "other"
    concerning(already, verified_principal())
    assert (already.issuer, already.kid) == ("https://other.example", "other")
    tested = concerning(AuthError(Refusal.SCOPE_INSUFFICIENT), principal_with())
    assert (tested.issuer, tested.kid) == (principal_with().issuer, None)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_end_of_the_process_is_no_fault_of_an_observer(end: type[BaseException]) -> None:
    """It goes on, where anything else that an observer raises stays with it."""

    def observer(_: Event) -> None:
        raise end

    with pytest.raises(end):
        notify(observer, Refused(Refusal.TOKEN_EXPIRED))


def test_refusal_is_counted_once() -> None:
    """Counters are asked before there is an event, and an event that comes all the same counts nothing again."""
    counters = Counters()
    assert counters.ignores("token_expired", "https://login.example", None)
    counters(Refused(Refusal.TOKEN_EXPIRED))
    assert (dict(counters.refused), dict(counters.ended), dict(counters.rules)) == ({"token_expired": 1}, {}, {})
