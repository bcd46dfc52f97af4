"""The core is held to the table of proofs, and the table to what it promises."""

from __future__ import annotations

import time

import pytest

from bearward import AuthError, Refusal, TrustedIssuer, Verifier
from bearward.credentials import SCHEMES, presented_token
from bearward.dpop import DPoP
from bearward.possession import Presented, check_sender
from bearward.testing import HOSTILE_PROOFS, LocalIssuer
from tests.dpop_cases import DPOP_CASES, OTHER_ORIGIN, DPoPCase, DPoPWorld

ORIGIN, PATH = "https://orders.example", "/orders.v1.Orders/List"
POLICY = DPoP(origins=[ORIGIN, OTHER_ORIGIN])
ISSUER = LocalIssuer(algorithms=["ES256"])
TRUSTED = TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks={"keys": [ISSUER.key().public_jwk()]})
WORLD = DPoPWorld(ISSUER, "POST", ORIGIN, PATH, time.time)


def judge(authorization: list[str], proofs: list[str]) -> None:
    """Judge a request as a gate does, step by step."""
    scheme, token = presented_token(authorization, SCHEMES)
    principal = Verifier(TRUSTED).verify_now(token, unsafe_allow_bound=True)
    now = time.time()
    sender, proof = check_sender(principal.claims, Presented(scheme, token, proofs, "POST", PATH), POLICY, now)
    assert (proof is None) == (sender.jkt is None)


@pytest.mark.parametrize("case", DPOP_CASES, ids=lambda case: case.name)
def test_core_agrees_with_the_table(case: DPoPCase) -> None:
    """Each row is admitted, or refused by the code that it names."""
    authorization, proofs = case.send(WORLD)
    if case.expected is None:
        judge([*authorization], [*proofs])
        return
    with pytest.raises(AuthError) as caught:
        judge([*authorization], [*proofs])
    assert caught.value.code == case.expected


def test_table_is_large_and_its_names_are_unique() -> None:
    """At least 120 proofs, and each name once."""
    assert len(DPOP_CASES) >= 120
    assert len({case.name for case in DPOP_CASES}) == len(DPOP_CASES)


def test_table_covers_every_refusal_of_a_proof() -> None:
    """Each code that a proof can be refused by is in the table, but for those that need a memory or a nonce."""
    codes = {refusal.code for refusal in Refusal if refusal.name.startswith("DPOP_")}
    elsewhere = {"dpop_nonce_required", "dpop_replayed", "dpop_unavailable"}
    assert codes - {case.expected for case in DPOP_CASES} == elsewhere


def test_table_covers_the_testing_kit() -> None:
    """Each hostile proof of the testing kit is in the table."""
    assert {f"hostile: {name}" for name in HOSTILE_PROOFS} <= {case.name for case in DPOP_CASES}
