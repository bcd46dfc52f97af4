"""Tickets in the core: what is not one of ours opens nothing, and a ticket replaces no binding that must still hold."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError, Refusal, TrustedIssuer, Verifier
from bearward.credential_place import CredentialPlace
from bearward.dpop import DPoP, LocalReplays
from bearward.possession import Presented
from bearward.sealed_ticket import TicketSeal
from bearward.sender import Scheme, SenderProof
from bearward.socket_tickets import SocketTickets
from bearward.testing import DPoPClient, LocalIssuer, MovableClock
from tests.conftest import Run

SECRET = b"0123456789abcdef"
SEAL = TicketSeal(SECRET)
TICKET = SEAL.seal(b"content", "/chat", b"s" * 16)
ISSUER = LocalIssuer(algorithms=["ES256"])
KEY = DPoPClient().cnf
OFFERED, REQUIRED = DPoP(origins="https://api.example"), DPoP(origins="https://api.example", required=True)


@given(st.text() | st.text("ABCDabcd0123-_", max_size=90) | st.integers(0, len(TICKET) - 1).map(lambda at: TICKET[:at]))
def test_anything_else_is_no_ticket(text: str) -> None:
    """Any text but the ticket, the ticket elsewhere, and the ticket of another secret."""
    for seal, ticket, place in (
        (SEAL, text, "/chat"),
        (SEAL, TICKET, "/other"),
        (TicketSeal(b"x" * 16), TICKET, "/chat"),
    ):
        with pytest.raises(ValueError, match="not"):
            seal.open(ticket, place)


def test_ticket_is_opened_where_it_is_for() -> None:
    """By who knows the secret, which is not shown; an absurdly long one is not even decoded."""
    assert TicketSeal(SECRET).open(TICKET, "/chat") == (b"s" * 16, b"content")
    assert repr(SEAL) == "<TicketSeal>"
    assert SEAL.open(SEAL.seal(b"content", "/\ud800", b"s" * 16), "/\ud800") == (b"s" * 16, b"content")
    with pytest.raises(ValueError, match="not a ticket"):
        SEAL.open("A" * 40_000, "/chat")
    with pytest.raises(ConfigurationError):
        TicketSeal(b"short")


@pytest.mark.parametrize(
    ("cnf", "dpop", "certificate", "expected"),
    [
        (None, None, None, SenderProof()),
        (None, OFFERED, None, SenderProof()),
        (None, REQUIRED, None, "sender_constraint_required"),
        (KEY, OFFERED, None, SenderProof(jkt=KEY["jkt"])),
        (KEY, REQUIRED, None, SenderProof(jkt=KEY["jkt"])),
        (KEY, None, None, "token_sender_constrained"),
        ({"x5t#S256": "c"}, None, "c", SenderProof(certificate="c")),
        ({"x5t#S256": "c"}, None, "d", "token_sender_constrained"),
        ({"x5t#S256": "c"}, None, None, "token_sender_constrained"),
        ({**KEY, "x5t#S256": "c"}, OFFERED, "c", SenderProof(KEY["jkt"], "c")),
        ({**KEY, "x5t#S256": "c"}, OFFERED, None, "token_sender_constrained"),
        ({"kid": "k"}, OFFERED, None, "token_sender_constrained"),
    ],
)
def test_binding_still_holds(run: Run, cnf: Any, dpop: DPoP | None, certificate: str | None, expected: Any) -> None:
    """The key was proven to get the ticket; a certificate is the connection's, and is asked for again."""
    verifier = Verifier(_trusted(), dpop=dpop)
    token = ISSUER.mint() if cnf is None else ISSUER.mint(cnf=cnf)
    assert run(_redeemed(verifier, token, certificate)) == expected


def test_token_of_a_place_is_of_that_place_again(run: Run) -> None:
    """A token that was found where its issuer's tokens are is verified as one that was found there."""
    place = CredentialPlace(header="x-token")
    verifier = Verifier(_trusted(place=place))
    assert run(_redeemed(verifier, ISSUER.mint(), None, place)) == SenderProof()
    assert run(_redeemed(verifier, ISSUER.mint(), None)) != SenderProof()


def test_ticket_opens_nothing_once_its_lifetime_is_over(run: Run) -> None:
    """From that very second on; before it, it opens its socket."""
    clock = MovableClock(ISSUER.now())
    verifier, tickets = Verifier(_trusted(), clock=clock), SocketTickets(SECRET, lifetime=30.0)
    first, second = (tickets.issue(ISSUER.mint(), None, place="/chat", now=clock.now()) for _ in range(2))
    clock.advance(29.0)
    assert run(tickets.redeem(verifier, Presented(Scheme.BEARER, first), place="/chat")).issuer == ISSUER.url
    clock.advance(1.0)
    assert run(_refused(tickets, verifier, second)).refusal is Refusal.TICKET_INVALID


def test_refused_ticket_says_whose_token_is_in_it(run: Run) -> None:
    """As far as it could be opened and its token verified: for the events of the socket that was refused."""
    bearer, required = Verifier(_trusted()), Verifier(_trusted(), dpop=REQUIRED)
    tickets = SocketTickets(SECRET)
    used = tickets.issue(ISSUER.mint(), None, place="/chat", now=bearer.now())
    run(tickets.redeem(bearer, Presented(Scheme.BEARER, used), place="/chat"))
    for verifier, ticket, refusal, issuer in (
        (bearer, used, Refusal.TICKET_INVALID, ISSUER.url),
        (required, used, Refusal.SENDER_CONSTRAINT_REQUIRED, ISSUER.url),
        (bearer, TICKET[:-4], Refusal.TICKET_INVALID, None),
    ):
        error = run(_refused(tickets, verifier, ticket))
        assert (error.refusal, error.issuer) == (refusal, issuer)


class Closing(LocalReplays):
    """A memory that says how often it was closed."""

    def __init__(self, **options: int) -> None:
        super().__init__(**options)
        self.closed = 0

    async def aclose(self) -> None:
        """Once more."""
        self.closed += 1


def test_used_tickets_are_recorded_in_the_memory_that_is_given(run: Run) -> None:
    """It is closed with the tickets; the verifier's, which is there without one, is closed by its owner."""
    for own in (True, False):
        given, of_verifier = Closing(), Closing()
        verifier = Verifier(_trusted(), replays=of_verifier)
        tickets = SocketTickets(SECRET, replays=given if own else None)
        ticket = tickets.issue(ISSUER.mint(), None, place="/chat", now=verifier.now())
        run(tickets.redeem(verifier, Presented(Scheme.BEARER, ticket), place="/chat"))
        assert (len(given), len(of_verifier)) == (own, not own)
        run(tickets.aclose())
        assert (given.closed, of_verifier.closed) == (own, 0)


def test_full_memory_of_used_tickets_opens_nothing(run: Run) -> None:
    """And is no fault of the ticket, which may be tried again."""
    verifier = Verifier(_trusted(), replays=LocalReplays(max_proofs=1))
    tickets = SocketTickets(SECRET)
    first, second = (tickets.issue(ISSUER.mint(), None, place="/chat", now=verifier.now()) for _ in range(2))
    run(tickets.redeem(verifier, Presented(Scheme.BEARER, first), place="/chat"))
    error = run(_refused(tickets, verifier, second))
    assert (error.refusal, error.issuer) == (Refusal.DPOP_UNAVAILABLE, ISSUER.url)


@pytest.mark.parametrize("lifetime", [True, "30", None, 0.9, 300.1, float("nan")])
def test_lifetime_of_a_ticket_is_bounded(lifetime: Any) -> None:
    """One second to five minutes."""
    with pytest.raises(ConfigurationError) as caught:
        SocketTickets(SECRET, lifetime=lifetime)
    assert caught.value.setting == "lifetime"
    assert [SocketTickets(SECRET, lifetime=good).lifetime for good in (1, 300)] == [1.0, 300.0]


def _trusted(**options: Any) -> TrustedIssuer:
    return TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks={"keys": [ISSUER.key().public_jwk()]}, **options)


async def _redeemed(
    verifier: Verifier, token: str, certificate: str | None, place: CredentialPlace | None = None
) -> SenderProof | str:
    tickets = SocketTickets(SECRET)
    ticket = tickets.issue(token, place, place="/chat", now=time.time())
    try:
        presented = Presented(Scheme.BEARER, ticket, certificate=certificate)
        principal = await tickets.redeem(verifier, presented, place="/chat")
    except AuthError as error:
        return error.code
    return principal.proof


async def _refused(tickets: SocketTickets, verifier: Verifier, ticket: str) -> AuthError:
    """How the ticket is refused."""
    with pytest.raises(AuthError) as caught:
        await tickets.redeem(verifier, Presented(Scheme.BEARER, ticket), place="/chat")
    return caught.value
