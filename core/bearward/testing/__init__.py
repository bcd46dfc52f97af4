"""For tests, including yours: a real issuer on loopback, keys that sign, and tokens of every kind, good and hostile.

    from bearward.testing import LocalIssuer

    with LocalIssuer(audience="https://api.example") as issuer:
        token = issuer.mint(sub="ada", scope="notes:read")

Without an issuer, `acting_as` has calls be made by whom a test says. The pytest plugin `bearward_pytest` has all of it as
fixtures; `bearward_sanic.testing` and `bearward_grpc.testing` have what belongs to a framework: see `docs/testing.md`.

It imports no test framework and no web framework. It is not an issuer for production: it gives tokens to anyone who
asks.
"""

from __future__ import annotations

from bearward.testing.acting import acting_as, principal_with
from bearward.testing.certificates import CertificateClient
from bearward.testing.clock import MovableClock
from bearward.testing.closing import close_verifier
from bearward.testing.exchange import Request, Response, json_response
from bearward.testing.garbage import GARBAGE
from bearward.testing.hostile import HOSTILE_TOKENS, HostileToken
from bearward.testing.issuer import LocalIssuer
from bearward.testing.keys import SigningKey
from bearward.testing.minting import compact, json_octets, sign_segments, tamper
from bearward.testing.policy_matrix import PolicyMatrix
from bearward.testing.proofs import HOSTILE_PROOFS, DPoPClient, access_token_hash

__all__ = [
    "GARBAGE",
    "HOSTILE_PROOFS",
    "HOSTILE_TOKENS",
    "CertificateClient",
    "DPoPClient",
    "HostileToken",
    "LocalIssuer",
    "MovableClock",
    "PolicyMatrix",
    "Request",
    "Response",
    "SigningKey",
    "access_token_hash",
    "acting_as",
    "close_verifier",
    "compact",
    "json_octets",
    "json_response",
    "principal_with",
    "sign_segments",
    "tamper",
]
