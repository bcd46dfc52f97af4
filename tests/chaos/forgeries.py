"""Forged tokens of each sort, as fast as octets can be written: well-formed, within their times, and signed by nobody.

Rule of this file: pure but for randomness. A sort is data: its name, and how to write a token for a target. Signatures are
random octets of the right length, so that a server must do all the work that a real forgery would cost it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bearward.jose.base64url import encode

__all__ = ["AUDIENCE", "GUESSED", "SORTS", "Target"]

AUDIENCE = "https://api.example"
GUESSED = "key-of-tomorrow"
"""The `kid` that the issuer will sign with next, and that somebody guessed."""
_FAR = 4_000_000_000
_ES256, _ES512 = 64, 132


@dataclass(frozen=True, kw_only=True)
class Target:
    """The trusted issuer, below which URL its provider has tenants, and the `kid` of the most expensive key it publishes."""

    issuer: str
    tenants: str
    expensive_kid: str


def _forged(signature: int, issuer: str, **header: str) -> str:
    claims = {"iss": issuer, "aud": AUDIENCE, "exp": _FAR, "sub": secrets.token_hex(4)}
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), secrets.token_bytes(signature))
    return ".".join(encode(part).decode("ascii") for part in parts)


SORTS: dict[str, Callable[[Target], str]] = {
    "unknown kid": lambda to: _forged(_ES256, to.issuer, alg="ES256", kid=secrets.token_hex(8)),
    "guessed kid": lambda to: _forged(_ES256, to.issuer, alg="ES256", kid=GUESSED),
    "invented tenant": lambda to: _forged(_ES256, f"{to.tenants}/{secrets.token_hex(8)}", alg="ES256", kid="k"),
    "absent kid": lambda to: _forged(_ES256, to.issuer, alg="ES256"),
    "expensive key": lambda to: _forged(_ES512, to.issuer, alg="ES512", kid=to.expensive_kid),
}
