"""Tickets in the core: what is not one of ours opens nothing, and a ticket replaces no binding that must still hold."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError, TrustedIssuer, Verifier
from bearward.credential_place import CredentialPlace
from bearward.dpop import DPoP
from bearward.possession import Presented
from bearward.sealed_ticket import TicketSeal
from bearward.sender import Scheme, SenderProof
from bearward.socket_tickets import SocketTickets
from bearward.testing import DPoPClient, LocalIssuer
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
