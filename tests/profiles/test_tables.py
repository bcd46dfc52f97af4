"""Each profile's table of tokens, judged by the core."""

from __future__ import annotations

import pytest

from bearward import AuthError, Verifier
from bearward.credential_place import CredentialPlace
from bearward.profiles.by_name import FUNCTIONS
from bearward.trusted_issuer import TrustedIssuer
from tests.conftest import Run
from tests.profiles.table import ACCEPTED, COMMON, Row, Table, token_of
from tests.profiles.tables import TABLES

ROWS = [(table, row) for table in TABLES for row in (*table.rows, *COMMON)]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table.name}: {row.name}" for table, row in ROWS])
def test_token_gets_the_verdict_of_its_row(table: Table, row: Row, run: Run) -> None:
    """A good shape is let in under its own claims, a neighbour's token is refused for the reason that is written down."""

    async def ask() -> str:
        async with Verifier(*table.trusted()) as verifier:
            try:
                principal = await verifier.verify(token_of(table, row), place=table.place())
            except AuthError as refused:
                return refused.code
            claims = {**table.claims, **table.others.get(row.base, {}), **row.change}
            assert principal.issuer == claims.get("iss", "spiffe://example.org")
            return ACCEPTED

    assert run(ask()) == row.expected


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_token_in_another_place_is_not_of_that_issuer(table: Table, run: Run) -> None:
    """A good token of a proxy counts in its own header only, and a good token of another issuer does not count there."""
    own = table.place()
    other = CredentialPlace(header="x-another") if own is None else None
    row = next(row for row in table.rows if row.expected == ACCEPTED)
    once = any(policy.single_use for policy in table.trusted() if isinstance(policy, TrustedIssuer))
    good = token_of(table, row)

    async def ask() -> None:
        async with Verifier(*table.trusted()) as verifier:
            for _ in range(2):  # the second time what is remembered of the token in its own place is there
                with pytest.raises(AuthError) as caught:
                    await verifier.verify(good, place=other)
                padded = own is not None and own.padded
                assert caught.value.code == ("token_malformed" if padded else "issuer_untrusted")
                await verifier.verify(token_of(table, row) if once else good, place=own)

    run(ask())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_has_good_shapes_and_neighbours(table: Table) -> None:
    """At least twelve tokens of its own, of which some are let in and most are not."""
    accepted = [row for row in table.rows if row.expected == ACCEPTED]
    assert len(table.rows) >= 12
    assert len(accepted) >= 3
    assert len(table.rows) - len(accepted) >= 6
    assert len({row.name for row in (*table.rows, *COMMON)}) == len(table.rows) + len(COMMON)


def test_every_profile_has_a_table() -> None:
    """None was added without its tokens."""
    assert {table.name.partition(",")[0] for table in TABLES} == FUNCTIONS.keys()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_has_the_token_that_is_taken_for_another(table: Table) -> None:
    """Where an issuer has ID tokens and access tokens, a token of the other kind is in the table, refused."""
    kinds = (
        "ID token",
        "access token",
        "template",
        "session cookie",
        "client secret",
        "login",
        "legacy",
        "API key",
        "refresh token",
    )
    exempt = {"zuplo", "client_assertion", "github_actions"}  # issuers of one kind of token
    confused = [row for row in table.rows if any(kind in row.name for kind in kinds) and row.expected != ACCEPTED]
    assert confused or table.name in exempt
