"""Each token of the attack table, judged by bearward and by its peers; where they differ, a row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.credentials import bearer_token
from tests.attack.case import ACCEPTED
from tests.attack.table import table
from tests.attack.token_factory import TokenFactory
from tests.differential.peers import PEERS

__all__ = ["Row", "compared"]

ISSUER, AUDIENCE = "https://login.example", "https://api.example"


@dataclass(frozen=True, slots=True)
class Row:
    """One token: our verdict, and that of each peer (`accepted`, `refused`, or a foreign exception's name)."""

    kind: str
    name: str
    ours: str
    peers: tuple[str, ...]
    same_claims: bool = True
    """Whether all that accepted it read the same claims."""


def compared() -> Iterator[Row]:
    """All tokens of the table that are presented as one bearer token."""
    forge = TokenFactory(ISSUER, AUDIENCE, int(time.time()), "http://127.0.0.1:9")
    verifier = Verifier(TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=forge.jwks()))
    peers = [make(forge.jwks(), ISSUER, AUDIENCE) for make in PEERS.values()]
    for case in table(forge):
        try:
            token = bearer_token(case.values)
        except AuthError:
            continue  # not the token, but how it was presented
        claims, ours = None, ACCEPTED
        try:
            claims = verifier.verify_now(token).to_dict()
        except AuthError as error:
            ours = error.code
        said = [peer(token) for peer in peers]
        verdicts = tuple(verdict if isinstance(verdict, str) else ACCEPTED for verdict in said)
        same = (
            all(verdict == claims for verdict in said if not isinstance(verdict, str)) if claims is not None else True
        )
        yield Row(case.kind, case.name, ours, verdicts, same)
