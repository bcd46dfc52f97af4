"""What we accept, joserfc and PyJWT accept with the same claims; where they are laxer, docs/evidence/differential.md says why."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from joserfc import __version__ as joserfc_version

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.testing import json_octets, sign_segments
from tests.attack.case import ACCEPTED
from tests.differential.__main__ import DOCUMENT, document
from tests.differential.compare import compared
from tests.differential.peers import PEERS
from tests.properties import fixtures
from tests.properties.claim_values import claim_sets
from tests.properties.profiles import examples


@pytest.mark.thorough
def test_every_difference_is_listed_with_its_reason() -> None:
    """The page is what the comparison says today, with the peers that it names; `make differential` writes it anew.

    With other versions of the peers the differences are others; what all accept must be read alike all the same.
    """
    rows = list(compared())
    assert all(row.same_claims for row in rows)
    head, _, written = DOCUMENT.read_text(encoding="utf-8").partition("## ")
    if f"({joserfc_version})" in head and f"({jwt.__version__})" in head:
        assert document(rows).partition("## ")[2] == written


@pytest.mark.thorough
def test_every_accepted_difference_is_listed() -> None:
    """Where we alone accept, it is a name of RFC 9864 or a member that means nothing."""
    alone = [row for row in compared() if row.ours == ACCEPTED and ACCEPTED not in row.peers]
    assert {row.kind for row in alone} <= {"EdDSA"}


KEY = fixtures.key("ES256")
JWKS = {"keys": [KEY.public_jwk()]}
VERIFIER = Verifier(TrustedIssuer(fixtures.ISSUER, audience=fixtures.AUDIENCE, jwks=JWKS))
JUDGES = [make(JWKS, fixtures.ISSUER, fixtures.AUDIENCE) for make in PEERS.values()]
_SHIFT = int(time.time() - fixtures.NOW)


@examples(150)
@given(claim_sets())
def test_peers_accept_what_bearward_accepts_with_the_same_claims(claims: dict[str, Any]) -> None:
    """Any claims at all, correctly signed, with the times around now."""
    for name in ("exp", "nbf", "iat"):
        moment = claims.get(name)
        if (
            isinstance(moment, int | float)
            and not isinstance(moment, bool)
            and fixtures.NOW - 1e6 < moment < fixtures.NOW + 1e6
        ):
            claims[name] = moment + _SHIFT
    token = sign_segments(json_octets({"alg": "ES256", "kid": KEY.kid}), json_octets(claims), KEY)
    try:
        ours = VERIFIER.verify_now(token).to_dict()
    except AuthError:
        return
    assert [judge(token) for judge in JUDGES] == [ours] * len(JUDGES)
