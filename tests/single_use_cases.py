"""Tokens that count once: how they are trusted, which of them are refused, and the verifier alone being asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer

__all__ = ["AUDIENCE", "ROWS", "Ask", "core", "minted", "trust"]

AUDIENCE = "https://login.example"
Ask = Callable[[str], str]
"""`ok`, or the code of the refusal of this token."""
DAY = 86_400
Row = tuple[str, dict[str, Any]]
ROWS: dict[str, list[Row]] = {
    "the same again": [("ok", {"jti": "a"}), ("token_replayed", {"jti": "a"}), ("token_replayed", {"jti": "a"})],
    "another jti": [("ok", {"jti": "b"}), ("ok", {"jti": "c"})],
    "the same jti in another token": [("ok", {"jti": "d"}), ("token_replayed", {"jti": "d", "sub": "another"})],
    "no jti": [("claim_missing", {"jti": None})],
    "a jti that names nothing": [("claim_malformed", {"jti": ""})],
    "a jti of 513 characters": [("claim_malformed", {"jti": "x" * 513})],
    "a jti that is no text": [("claim_malformed", {"jti": 7})],
    "refused for another reason first": [("audience_mismatch", {"jti": "e", "aud": "x"}), ("ok", {"jti": "e"})],
    "bound to a key": [("token_sender_constrained", {"jti": "f", "cnf": {"jkt": "A" * 43}})],
    "of a day": [("ok", {"jti": "h", "expires_in": DAY})],
    "of more than a day": [("claim_mismatch", {"jti": "i", "expires_in": DAY + 600})],
    "of all times": [("claim_mismatch", {"jti": "j", "exp": 10**300 - 1})],
    "of a far year, as a fraction": [("claim_mismatch", {"jti": "k", "exp": 1e13 + 0.5})],
    "without an end": [("claim_missing", {"jti": "g", "exp": None})],
}


def trust(issuer: LocalIssuer, **more: Any) -> TrustedIssuer:
    """Tokens that count once."""
    given: dict[str, Any] = {"jwks": issuer.keys.jwks(), "single_use": True, "sender": "bearer", **more}
    return TrustedIssuer(issuer.url, audience=AUDIENCE, **given)


@contextmanager
def core(verifier: Verifier) -> Iterator[Ask]:
    """The verifier itself, by both of its methods in turn."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(verifier.start())

    def ask(token: str) -> str:
        try:
            loop.run_until_complete(verifier.verify(token))
        except AuthError as refused:
            return refused.code
        return "ok"

    try:
        yield ask
    finally:
        loop.run_until_complete(verifier.aclose())
        loop.close()


def minted(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    """A token with these claims; None leaves one out, and `expires_in` is in seconds from when it is made."""
    if "expires_in" in claims:
        claims = {**claims, "exp": int(time.time()) + claims["expires_in"]}
        del claims["expires_in"]
    without = [name for name, value in claims.items() if value is None]
    return issuer.mint(claims={name: value for name, value in claims.items() if value is not None}, without=without)
