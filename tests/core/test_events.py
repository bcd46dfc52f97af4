"""Events: what observers of a verifier are called with, once for each thing that happens, and what they cannot break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bearward import (
    AuthError,
    ConfigurationError,
    JWKSOptions,
    Principal,
    Refusal,
    Revocations,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
)
from bearward.adapters import Reporter, concerning, correlation_id
from bearward.bug_reports import forget_reports
from bearward.events import (
    UNKNOWN,
    Event,
    KeySetChanged,
    KeysRefreshed,
    KeysStateChanged,
    Observer,
    RefreshFailed,
    Refused,
    RulesDecided,
    StreamEnded,
    Verified,
    only,
)
from bearward.logs import log_events
from bearward.observers import Counting
from bearward.testing import LocalIssuer, SigningKey
from tests.conftest import Run
from tests.core.fake_clock import FakeClock

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


def watched(issuer: LocalIssuer, **options: Any) -> tuple[Verifier, list[Event]]:
    """A verifier, and the events that it reports."""
    seen: list[Event] = []
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(**options))
    return Verifier(policy, observers=[seen.append]), seen


def decisions(seen: list[Event]) -> list[Event]:
    """The events about tokens among them."""
    return [event for event in seen if isinstance(event, Verified | Refused)]


def test_each_verification_is_one_event(issuer: LocalIssuer, run: Run) -> None:
    """Whether the token comes for the first time, from the cache, or is refused, and by whichever of the two calls."""
    verifier, seen = watched(issuer)
    key = issuer.key()
    good, expired = issuer.mint(), issuer.mint(expires_in=-600)
    forged = issuer.mint(key=SigningKey.generate("ES256", kid=key.kid))
    other = issuer.mint(claims={"iss": "https://evil.example"})

    async def work() -> None:
        async with verifier:
            await verifier.verify(good)
            verifier.verify_now(good)
            for token in (expired, forged, other):
                with pytest.raises(AuthError):
                    await verifier.verify(token)
                with pytest.raises(AuthError):
                    verifier.verify_now(token)

    run(work())
    ours = Verified(issuer.url, kid=key.kid)
    refused = [
        Refused(Refusal.TOKEN_EXPIRED, issuer.url, kid=key.kid),
        Refused(Refusal.SIGNATURE_INVALID, issuer.url, kid=key.kid),
        Refused(Refusal.ISSUER_UNTRUSTED, UNKNOWN),
    ]
    assert decisions(seen) == [ours, ours, *(event for event in refused for _ in "12")]


def test_key_that_the_issuer_does_not_publish_is_not_named(issuer: LocalIssuer, run: Run) -> None:
    """A `kid` is the caller's text until the issuer is seen to use it."""
    verifier, seen = watched(issuer)

    async def work() -> None:
        async with verifier:
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(key=SigningKey.generate("ES256", kid="chosen by a caller")))

    run(work())
    assert decisions(seen) == [Refused(Refusal.KEY_UNKNOWN, issuer.url)]


def test_invented_tenant_is_not_named(run: Run) -> None:
    """An issuer that only matches a template is the caller's text until it has published keys."""
    seen: list[Event] = []
    with LocalIssuer(algorithms=["ES256"]) as server:
        invented = f"{server.url}/invented"
        tenants = TenantIssuers(f"{server.url}/{{tenant}}", audience=AUDIENCE)
        verifier = Verifier(tenants, observers=[seen.append])

        async def work() -> None:
            async with verifier:
                with pytest.raises(AuthError):
                    await verifier.verify(server.mint(claims={"iss": invented}))

        run(work())
    assert decisions(seen) == [Refused(Refusal.KEYS_UNAVAILABLE)]
    failed = [event for event in seen if isinstance(event, RefreshFailed)]
    assert [event.issuer for event in failed] == [UNKNOWN]
    assert "invented" not in repr(seen)


def test_keys_are_reported_as_they_are_fetched_changed_and_lost(issuer: LocalIssuer, run: Run) -> None:
    """A fetch, another set, a failure, and the recovery from it."""
    verifier, seen = watched(issuer, cooldown=0.0)

    async def work() -> None:
        async with verifier:
            await verifier.verify(issuer.mint())
            issuer.rotate()
            await verifier.verify(issuer.mint())
            issuer.down()
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(key=SigningKey.generate("ES256", kid="unknown")))
            issuer.up()
            await asyncio.sleep(0)
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(key=SigningKey.generate("ES256", kid="unknown too")))

    run(work())
    kinds = (KeysRefreshed, KeySetChanged, RefreshFailed)
    first, changed, second, failed, recovered = [event for event in seen if isinstance(event, kinds)]
    assert isinstance(first, KeysRefreshed)
    assert (first.trigger, first.generation, first.keys, first.recovered) == ("lookup", 1, 1, False)
    assert isinstance(changed, KeySetChanged)
    assert (changed.generation, changed.added, changed.removed) == (2, 1, 0)
    assert isinstance(second, KeysRefreshed)
    assert (second.trigger, second.keys) == ("unknown_kid", 2)
    assert isinstance(failed, RefreshFailed)
    assert (failed.cause, failed.is_new, failed.issuer) == ("connect", True, issuer.url)
    assert isinstance(recovered, KeysRefreshed)
    assert recovered.recovered
    states = [event.state for event in seen if isinstance(event, KeysStateChanged)]
    assert states == ["fresh"]


@pytest.mark.parametrize("error", [ValueError("a secret"), asyncio.CancelledError(), RecursionError()])
def test_observer_that_raises_breaks_nothing(
    issuer: LocalIssuer, run: Run, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """The token is verified, the other observers are called, and the log says what is wrong without its text."""
    seen: list[Event] = []

    def broken(_: Event) -> None:
        raise error

    verifier = Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE), observers=[broken, seen.append])

    async def work() -> Principal:
        async with verifier:
            return await verifier.verify(issuer.mint())

    assert run(work()).issuer == issuer.url
    assert len(decisions(seen)) == 1
    lines = [record.getMessage() for record in caplog.records if record.name == "bearward.events"]
    assert any("an observer failed with Verified" in line for line in lines)
    assert "a secret" not in caplog.text


@pytest.mark.parametrize("observers", [[], [lambda _: 1 / 0]], ids=["none", "one that raises"])
def test_log_that_cannot_be_written_breaks_nothing(
    issuer: LocalIssuer, run: Run, observers: list[Observer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's own handler raises, for the line of the refusal and for the report of that too."""

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("no space left on device")

    monkeypatch.setattr(logging.getLogger("bearward"), "handlers", [Full()])
    monkeypatch.setattr(logging.getLogger("bearward.verifier"), "isEnabledFor", lambda _: True)
    log_events.forget()
    forget_reports()

    async def work() -> Refusal:
        async with Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE), observers=observers) as verifier:
            await verifier.verify(issuer.mint())
            with pytest.raises(AuthError) as refused:
                await verifier.verify(issuer.mint(expires_in=-60))
            return refused.value.refusal

    assert run(work()) is Refusal.TOKEN_EXPIRED


async def _asynchronous(_: Event) -> None:
    """What cannot be an observer."""


class _Asynchronous:
    async def __call__(self, _: Event) -> None:
        """Neither."""


@pytest.mark.parametrize("wrong", [_asynchronous, _Asynchronous(), "print", None, Verified])
def test_observers_are_plain_functions(wrong: Any) -> None:
    """An event is not awaited; anything else that cannot be called with one is refused before the start."""
    with pytest.raises(ConfigurationError, match="observers: must be"):
        Verifier(TrustedIssuer("https://login.example", audience="api"), observers=[wrong])


def test_observers_get_the_events_that_they_ask_for(issuer: LocalIssuer, run: Run) -> None:
    """Without one that asks for `Verified`, none is made: that is what keeps the hot path free."""
    seen: list[Event] = []
    verifier = Verifier(
        TrustedIssuer(issuer.url, audience=AUDIENCE), observers=[only(seen.append, Refused, RulesDecided)]
    )

    async def work() -> None:
        async with verifier:
            await verifier.verify(issuer.mint())
            with pytest.raises(AuthError):
                await verifier.verify("e30.e30.e30")

    run(work())
    assert [type(event) for event in seen] == [Refused]
    assert not verifier.observers.verified
    assert not Reporter(verifier.observers, "http").verified_wanted


class Tally(Counting):
    """Counts callers who are let in, if it can, and is told of the others."""

    kinds = frozenset({Verified})

    def __init__(self, *, can: bool) -> None:
        self._can = can
        self.asked: list[tuple[str, str | None]] = []
        self.told: list[Event] = []

    def counts(self, issuer: str, transport: str | None) -> bool:
        """Whether this one is counted."""
        self.asked.append((issuer, transport))
        return self._can

    def __call__(self, event: Event) -> None:
        """One that was not."""
        self.told.append(event)


@pytest.mark.parametrize("can", [True, False])
def test_caller_who_is_counted_needs_no_event(issuer: LocalIssuer, run: Run, can: bool) -> None:
    """By whichever of the two calls; of the others an event is made."""
    tally, token = Tally(can=can), issuer.mint()
    verifier = Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE), observers=[tally])

    async def work() -> None:
        async with verifier:
            await verifier.verify(token)
            verifier.verify_now(token)

    run(work())
    assert tally.asked == [(issuer.url, None)] * 2
    assert tally.told == ([] if can else [Verified(issuer.url, kid=issuer.key().kid)] * 2)


def test_refusal_is_reported_once_however_many_places_it_passes() -> None:
    """A refusal that a handler raises again, or that ended a stream, was seen already."""
    seen: list[Event] = []
    reporter = Reporter(
        Verifier(TrustedIssuer("https://login.example", audience="api"), observers=[seen.append]).observers, "grpc"
    )
    principal = Principal({"iss": "https://login.example", "sub": "ada"}, key_thumbprint="k")
    error = concerning(AuthError(Refusal.TOKEN_REVOKED), principal)
    reporter.ended(error, principal, "/notes.v1.Notes/Watch")
    reporter.refused(error, "/notes.v1.Notes/Watch")
    reporter.refused(AuthError(Refusal.NO_RULE))
    assert seen == [
        StreamEnded(Refusal.TOKEN_REVOKED, "https://login.example", "grpc", "/notes.v1.Notes/Watch"),
        Refused(Refusal.NO_RULE, UNKNOWN, "grpc"),
    ]


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("0af7651916cd43dd8448eb211c80319c", True),
        ("7f3a2f4e-5b6c-4d7e-8f90-a1b2c3d4e5f6", True),
        ("eyJhbGciOiJub25lIn0.e30.", False),
        ("a" * 65, False),
        ("", False),
        ("two\nlines", False),
        ("ada@example.org", False),
        (None, False),
    ],
)
def test_only_a_safe_correlation_id_is_kept(given: object, is_kept: bool) -> None:
    """What is no plain identifier may be a token or a caller's text, and is replaced by a new one."""
    found = correlation_id(lambda: given)
    assert (found == str(given)) is is_kept
    assert found.replace("-", "").isalnum()


def test_identifier_that_cannot_be_made_is_replaced() -> None:
    """An application's own way to make one may fail; that fails no request."""
    assert len(correlation_id(lambda: 1 / 0)) == 32


def test_revocations_of_one_process_report_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """There is no store that could fail."""
    seen: list[Event] = []
    with caplog.at_level(logging.DEBUG):
        revocations = Revocations(clock=FakeClock())
        verifier = Verifier(
            TrustedIssuer("https://login.example", audience="api"), revocations=revocations, observers=[seen.append]
        )
        verifier.revocations.revoke_token("https://login.example", "7f3a", until=2e9)
    assert seen == []
