"""The ways in which a run breaks bearward: each does what it says, and so must be noticed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.interop.manifest import HERE
from tests.interop.sabotage import UNCONCERNED

PROGRAM = """
import asyncio
from bearward import AuthError, TrustedIssuer, Verifier, authorize, scope
from bearward.credentials import Scheme
from bearward.dpop import DPoP
from bearward.possession import Presented, check_sender
from bearward.testing import DPoPClient, LocalIssuer, tamper

async def main():
    with LocalIssuer(audience="https://api.example") as issuer:
        good = issuer.mint(scope="notes:read")
        async with Verifier(TrustedIssuer(issuer.url, audience="https://api.example")) as verifier:
            for token, needed in (
                (good, "notes:read"), (tamper(good, sub="root"), "notes:read"),
                (issuer.mint(scope="notes:read", expires_in=-1), "notes:read"), (good, "notes:write"),
            ):
                try:
                    authorize(await verifier.verify(token), scope(needed), verifier.now())
                except AuthError as refused:
                    print(refused.code)
                else:
                    print("accepted")
    client, origin = DPoPClient(), "https://api.example"
    proof = client.proof("GET", origin + "/notes", token="another")
    presented = Presented(Scheme.DPOP, "bound", [proof], "GET", "/notes")
    try:
        check_sender({"cnf": client.cnf}, presented, DPoP(origins=origin), issuer.now())
    except AuthError as refused:
        print(refused.code)
    else:
        print("accepted")

asyncio.run(main())
"""
RIGHT = ["accepted", "signature_invalid", "token_expired", "scope_insufficient", "dpop_token_mismatch"]
"""A good token, a forged one, one that is too old, one that grants less than is asked for, and a bound one with the proof of
another."""
BROKEN = {
    "accepts": ["accepted", "accepted", "accepted", "scope_insufficient", "dpop_token_mismatch"],
    "refuses": [*["signature_invalid"] * 4, "dpop_token_mismatch"],
    "unsigned": ["accepted", "accepted", "token_expired", "scope_insufficient", "dpop_token_mismatch"],
    "unvalidated": ["accepted", "signature_invalid", "accepted", "scope_insufficient", "dpop_token_mismatch"],
    "unauthorized": ["accepted", "signature_invalid", "token_expired", "accepted", "dpop_token_mismatch"],
    "unproven": ["accepted", "signature_invalid", "token_expired", "scope_insufficient", "accepted"],
}


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["", *BROKEN])
def test_sabotage_breaks_only_what_it_names(way: str) -> None:
    """And without one nothing is broken."""
    environment = os.environ | {"PYTHONPATH": str(HERE / "sabotaged"), "INTEROP_SABOTAGE": way}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.stdout.split() == (BROKEN[way] if way else RIGHT), done.stderr


def test_every_way_is_tried() -> None:
    """No way is left out of `make sabotage`."""
    assert BROKEN.keys() == UNCONCERNED.keys()
