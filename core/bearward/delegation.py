"""Who acts for a caller (RFC 8693 section 4.1), and what was agreed in detail (RFC 9396): read from verified claims.

Rule of this file: pure. A claim that is there and is malformed raises; it is never read as one that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bearward.errors import AuthError
from bearward.refusals import Refusal

__all__ = ["Actor", "actors_of", "authorization_details_of"]

_MAX_ACTORS = 16  # a chain is as long as the token is nested, and nobody needs more


class Actor(NamedTuple):
    """One party of an `act` claim (RFC 8693 section 4.1)."""

    subject: str | None
    """Its `sub`."""
    issuer: str | None
    """Its `iss`, if the subject is to be read together with one."""
    client_id: str | None
    """Its `client_id`."""


def actors_of(claims: Mapping[str, Any]) -> tuple[Actor, ...]:
    """The chain of `act`: first the current actor, then those before it; empty if the caller acts itself.

    Raises `AuthError` (CLAIM_MALFORMED).

    >>> actors_of({"sub": "ada", "act": {"sub": "orders", "act": {"sub": "gateway"}}})[0].subject
    'orders'
    """
    if "act" not in claims:
        return ()
    actors: list[Actor] = []
    held = claims["act"]
    while held is not None:
        if not isinstance(held, Mapping) or len(actors) == _MAX_ACTORS:
            raise AuthError(Refusal.CLAIM_MALFORMED, claim="act")
        actors.append(Actor(*(_text(held, name) for name in ("sub", "iss", "client_id"))))
        if "act" not in held:
            return tuple(actors)
        held = held["act"]
    raise AuthError(Refusal.CLAIM_MALFORMED, claim="act")


def authorization_details_of(claims: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The objects of `authorization_details` (RFC 9396 section 2), each of which has a `type`; empty if there are none.

    Raises `AuthError` (CLAIM_MALFORMED).

    >>> authorization_details_of({"authorization_details": [{"type": "payment", "actions": ["read"]}]})[0]["actions"]
    ['read']
    """
    details = claims.get("authorization_details", ())
    if not isinstance(details, list | tuple) or not all(
        isinstance(one, Mapping) and isinstance(one.get("type"), str) for one in details
    ):
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="authorization_details")
    return tuple(details)


def _text(actor: Mapping[str, Any], name: str) -> str | None:
    value = actor.get(name)
    if value is not None and not isinstance(value, str):
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="act")
    return value
