"""What a refusal looks like on the wire: when to try again, what is offered, and how much of it is sent."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from bearward import AuthError, Refusal, TrustedIssuer, Verifier
from bearward.challenge import challenges
from bearward.dpop import DPoP, DPoPNonces
from bearward.explanation import Explanation
from bearward.refusals import Fault, OwnRefusal
from bearward_grpc import status
from bearward_grpc.status import CallStatus, RefusalCache, StatusMapper
from tests.adapters.grpc.calls import Outcome

SILENT: dict[str, Any] = {"realm": None, "error_domain": "notes.example", "resource_metadata": None}


def _outcome(made: CallStatus) -> Outcome:
    return Outcome(made.code, made.details, dict(made.trailers), [])


BY_FAULT = {
    Fault.CREDENTIALS: grpc.StatusCode.UNAUTHENTICATED,
    Fault.PERMISSION: grpc.StatusCode.PERMISSION_DENIED,
    Fault.SERVICE: grpc.StatusCode.UNAVAILABLE,
}


@pytest.mark.parametrize("rich", [True, False])
def test_status_says_whose_fault_it_is(rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is no reason to try again: it is INTERNAL. Details are sent where their package is installed, trailers always."""
    monkeypatch.setattr(status, "RICH", rich)
    for refusal in Refusal:
        expected = grpc.StatusCode.INTERNAL if refusal is Refusal.INTERNAL_ERROR else BY_FAULT[refusal.fault]
        outcome = _outcome(StatusMapper(**SILENT).status_for(AuthError(refusal)))
        assert (outcome.status, outcome.code) == (expected, refusal.code)
        assert ("grpc-status-details-bin" in outcome.trailers) is rich


@pytest.mark.parametrize(
    ("error", "milliseconds"),
    [
        (AuthError(Refusal.KEYS_UNAVAILABLE), "1000"),
        (AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=2.5), "2500"),
        (AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=0.0004), "1"),
        (AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=0.0), "0"),
        (AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=-3.0), "0"),
        (AuthError(Refusal.INTERNAL_ERROR, retry_after=1.0), None),
        (AuthError(Refusal.TOKEN_EXPIRED, retry_after=1.0), None),
        (AuthError(Refusal.SCOPE_INSUFFICIENT), None),
    ],
)
def test_caller_is_told_when_to_try_again_only_where_that_may_help(error: AuthError, milliseconds: str | None) -> None:
    """In the trailer that gRPC obeys and in `RetryInfo`, rounded up, and never before now."""
    outcome = _outcome(StatusMapper(**SILENT).status_for(error))
    assert outcome.trailers.get("grpc-retry-pushback-ms") == milliseconds
    assert (outcome.retry is not None) == (milliseconds is not None)
    if milliseconds is not None:
        delay = outcome.retry.retry_delay.ToNanoseconds()
        assert int(milliseconds) - 1 <= delay / 1e6 <= int(milliseconds)


@pytest.mark.parametrize(("more", "sent"), [(0, True), (1, False)])
def test_challenge_that_endangers_the_status_is_not_sent(more: int, sent: bool) -> None:
    """Up to 4096 characters: a call with more than 8 KiB of metadata is dropped, and its status with it."""
    error = AuthError(Refusal.TOKEN_EXPIRED)
    shortest = sum(map(len, challenges(error, realm="")))
    options = {**SILENT, "realm": "r" * (4096 - shortest + more)}
    outcome = _outcome(StatusMapper(**options).status_for(error))
    assert ("www-authenticate" in outcome.trailers) is sent
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_expired")


@pytest.mark.parametrize(
    ("page", "link"), [("https://docs.example/refusals", "https://docs.example/refusals#token_expired"), (None, None)]
)
def test_link_to_the_page_of_refusals_is_sent_where_there_is_one(page: str | None, link: str | None) -> None:
    """As `google.rpc.Help`, to the code of the refusal."""
    made = StatusMapper(**SILENT, refusal_docs=page).status_for(AuthError(Refusal.TOKEN_EXPIRED))
    found = _outcome(made).detail(error_details_pb2.Help())
    assert (None if found is None else [one.url for one in found.links]) == (None if link is None else [link])


@pytest.mark.parametrize(
    ("nonces", "scheme", "given"),
    [(True, "DPoP", True), (True, None, False), (False, "DPoP", False), (None, "DPoP", False)],
)
def test_nonce_is_given_to_who_needs_one(nonces: bool | None, scheme: str | None, given: bool) -> None:
    """Under the scheme `DPoP`, by a server that has nonces (RFC 9449 section 9), and so a verifier."""
    dpop = DPoP(origins="https://api.example", nonces=DPoPNonces(b"s" * 32) if nonces else None)
    trusted = TrustedIssuer("https://login.example", audience="api")
    error = AuthError(Refusal.TOKEN_EXPIRED)
    error.scheme = scheme
    verifier = None if nonces is None else Verifier(trusted, dpop=dpop)
    made = StatusMapper(verifier, **SILENT).status_for(error)
    outcome = _outcome(made)
    assert ("dpop-nonce" in outcome.trailers) is given
    offered = [value for name, value in made.trailers if name == "www-authenticate"]
    assert any(str(value).startswith("DPoP") for value in offered) is (verifier is not None)


def test_nothing_is_explained_without_a_verifier() -> None:
    """It is the verifier that was asked to explain, and that says to whom."""
    error = AuthError(Refusal.TOKEN_EXPIRED)
    error.explanation = Explanation((), Refusal.TOKEN_EXPIRED)
    made = StatusMapper(**SILENT).status_for(error)
    assert (made.explained, made.trailers_for(None)) == (None, made.trailers)


def _changed(name: str, value: Any) -> AuthError:
    error = AuthError(Refusal.SCOPE_INSUFFICIENT)
    setattr(error, name, value)
    return error


ALIKE = [
    AuthError(Refusal.SCOPE_INSUFFICIENT),
    AuthError(Refusal.CLAIM_INSUFFICIENT),
    _changed("claim", "role"),
    _changed("scopes", ("notes:read",)),
    _changed("acr_values", ("gold",)),
    _changed("max_age", 60),
    _changed("own", OwnRefusal("not_today", "not today")),
]
EACH = [_changed("retry_after", 2.0), _changed("scheme", "DPoP"), _changed("explanation", Explanation((), None))]


def test_refusals_that_differ_do_not_share_a_status() -> None:
    """Those that are alike share one; what is of one call alone is made for each."""
    cache = RefusalCache(lambda error: [error])
    made = [cache.get(error) for error in ALIKE]
    assert [one[0] for one in made] == ALIKE
    assert all(cache.get(error) is one for error, one in zip(ALIKE, made, strict=True))
    assert not any(cache.get(error) is cache.get(error) for error in EACH)


def test_cached_statuses_are_bounded() -> None:
    """1024 of them; further ones are made anew each time."""
    cache = RefusalCache(lambda error: [error])
    errors = [AuthError(Refusal.CLAIM_INSUFFICIENT, claim=str(number)) for number in range(1030)]
    for error in errors:
        cache.get(error)
    assert [cache.get(error) is cache.get(error) for error in errors] == [True] * 1024 + [False] * 6
