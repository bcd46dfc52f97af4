"""What the health of a verifier says of refusals, ended streams and rules, for operators."""

from __future__ import annotations

import logging
import threading

import pytest

from bearward import AuthError, Refusal, TrustedIssuer, Verifier
from bearward.adapters import Reporter
from bearward.events import Event, Refused
from bearward.logs import MAX_PER_MINUTE, log_events
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.tokens import ISSUER, KEY, token_of

WORKERS, EACH = 4, 500


def made() -> Verifier:
    """A verifier that trusts `KEY`."""
    return Verifier(TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]}), clock=FakeClock())


def test_health_counts_refusals_and_ends_by_code() -> None:
    """Each refusal once, however many places report it; a caller who is let in is not counted."""
    verifier = made()
    token = token_of(KEY)
    who = verifier.verify_now(token)
    verifier.verify_now(token)
    verifier.verify_now(token_of(KEY, sub="another"))
    with pytest.raises(AuthError):
        verifier.verify_now(token[:-8] + "AAAAAAAA")
    reporter = Reporter(verifier.observers, "grpc")
    for refusal in (Refusal.TOKEN_EXPIRED, Refusal.TOKEN_EXPIRED, Refusal.NO_RULE):
        error = AuthError(refusal)
        reporter.refused(error)
        reporter.refused(error)
    reporter.ended(AuthError(Refusal.TOKEN_REVOKED), who)
    health = verifier.health()
    assert health.refused == {"token_expired": 2, "no_rule": 1, "signature_invalid": 1}
    assert health.ended == {"token_revoked": 1}
    assert health.signatures_verified == 2
    assert health.live_streams == 0
    assert health.for_operators()["refused"] == health.refused


def test_health_counts_live_streams(run: Run) -> None:
    """Those whose watch is open."""

    async def scene() -> list[int]:
        verifier = made()
        who = verifier.verify_now(token_of(KEY))
        watches = [verifier.watch(who, lambda _: None) for _ in range(2)]
        seen = [verifier.health().live_streams]
        for watch in watches:
            watch.close()
            seen.append(verifier.health().live_streams)
        return seen

    assert run(scene()) == [2, 1, 0]


def test_health_shows_the_rules_that_apply() -> None:
    """Those that were decided last, by transport."""
    verifier = made()
    Reporter(verifier.observers, "http").rules({"GET /": "public"})
    Reporter(verifier.observers, "http").rules({"GET /notes": "authenticated"})
    Reporter(verifier.observers, "grpc").rules({"/a.B/C": "deny"})
    assert verifier.health().rules == {"http": {"GET /notes": "'authenticated'"}, "grpc": {"/a.B/C": "'deny'"}}


def test_readiness_page_shows_neither_rules_nor_counters() -> None:
    """`to_dict` is for whoever asks; `for_operators` for those who may know the policy."""
    verifier = made()
    Reporter(verifier.observers, "http").rules({"GET /notes": "authenticated"})
    health = verifier.health()
    assert {"rules", "refused", "ended"}.isdisjoint(health.to_dict())
    assert health.for_operators()["rules"] == {"http": {"GET /notes": "'authenticated'"}}
    assert health.to_dict().items() <= health.for_operators().items()


def test_no_refusal_is_lost_between_threads() -> None:
    """grpc.server refuses on all of its workers at once."""
    verifier = made()
    reporter = Reporter(verifier.observers)

    def refuse() -> None:
        for _ in range(EACH):
            reporter.refused(AuthError(Refusal.TOKEN_EXPIRED))

    threads = [threading.Thread(target=refuse) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verifier.health().refused == {"token_expired": WORKERS * EACH}


def test_suppressed_refusals_cost_no_event(caplog: pytest.LogCaptureFixture) -> None:
    """Once the log is at its limit, nothing is made of a refusal but its counts: no identifier is asked for."""
    caplog.set_level(logging.INFO, "bearward.http")
    log_events.forget()
    asked: list[None] = []

    def identifier() -> str:
        asked.append(None)
        return "id"

    verifier = made()
    reporter = Reporter(verifier.observers, "http")
    for _ in range(MAX_PER_MINUTE + 5):
        reporter.refused(AuthError(Refusal.TOKEN_EXPIRED), "GET /", identifier)
    assert len(asked) == len(caplog.records) == MAX_PER_MINUTE
    assert verifier.health().refused == {"token_expired": MAX_PER_MINUTE + 5}


def test_observers_of_the_application_see_every_refusal() -> None:
    """Whatever the log leaves out; and they do not make the log write more."""
    log_events.forget()
    seen: list[Event] = []
    verifier = Verifier(
        TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]}), observers=[seen.append]
    )
    reporter = Reporter(verifier.observers, "http")
    for _ in range(MAX_PER_MINUTE + 5):
        reporter.refused(AuthError(Refusal.TOKEN_EXPIRED), "GET /", "id")
    assert sum(isinstance(event, Refused) for event in seen) == MAX_PER_MINUTE + 5
    assert verifier.health().refused == {"token_expired": MAX_PER_MINUTE + 5}
