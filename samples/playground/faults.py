"""One-click faults: what an attacker, a careless client or a misconfigured issuer would send.

Rule of this file: one row a fault: what it is called, what it shows, and how it is made of the token on the page. The
servers do not know of it; the page says what they answered.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bearward.testing import SigningKey, compact, json_octets, sign_segments, tamper
from samples.playground.minting import Mint, Parts, parts_of

__all__ = ["FAULTS", "Broken", "Fault", "Workshop", "good_base"]


@dataclass(frozen=True, slots=True)
class Broken:
    """The broken token (None: none at all), and the proof to send with it."""

    token: str | None
    proof: str = "as bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a fault is made with: the mint, and what acts on issuer and servers."""

    mint: Mint
    withdraw_key: Callable[[str], Awaitable[None]]
    """Rotate the key of an algorithm, withdraw the old one, and have the servers notice."""
    revoke: Callable[[str, str], Awaitable[None]]
    """Revoke, by kind and the token, in every server."""
    good: Callable[[str], str]
    """A good token with this binding."""


Make = Callable[[Workshop, str], Awaitable[Broken]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One button."""

    name: str
    shows: str
    make: Make


def _readable(workshop: Workshop, token: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The token on the page and its members, signed anew, so that one thing is wrong with it in the end and no more.

    Where it cannot be read, it is a good one; where its time is over, it gets another five minutes.
    """
    parts: Parts = parts_of(token)
    if parts.header is None or parts.claims is None or len(parts.segments) != 3:
        parts = parts_of(workshop.good("none"))
    assert parts.header is not None
    assert parts.claims is not None
    key = workshop.mint.key(parts.header.get("alg"))
    header, claims = {**parts.header, "alg": key.alg, "kid": key.kid}, parts.claims
    expires, now = claims.get("exp"), int(time.time())
    if isinstance(expires, int | float) and expires <= now + 5:
        claims = {**claims, "iat": now, "exp": now + 300}
    return workshop.mint.sign(header, claims), header, claims


def good_base(workshop: Workshop, token: str) -> str:
    """What a fault is made of: the token on the page, signed anew."""
    return _readable(workshop, token)[0]


def _changed(**changes: Any) -> Make:
    """Other claims, honestly signed."""

    async def make(workshop: Workshop, token: str) -> Broken:
        _, header, claims = _readable(workshop, token)
        return Broken(workshop.mint.sign(header, {**claims, **changes}))

    return make


async def _expired(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    now = int(time.time())
    return Broken(workshop.mint.sign(header, {**claims, "iat": now - 600, "exp": now - 60}))


async def _not_yet_valid(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    now = int(time.time())
    return Broken(workshop.mint.sign(header, {**claims, "nbf": now + 600, "exp": now + 900}))


async def _other_issuer(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    return Broken(workshop.mint.sign(header, {**claims, "iss": f"{claims.get('iss', '')}/"}))


async def _unsigned(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    return Broken(compact(json_octets({**header, "alg": "none"}), json_octets(claims), b""))


async def _confused(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    secret = SigningKey.symmetric(workshop.mint.issuer.key("RS256").public_pem())
    return Broken(sign_segments(json_octets({**header, "alg": "HS256"}), json_octets(claims), secret))


async def _other_key(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    thief = SigningKey.generate(str(header.get("alg", "RS256")))
    return Broken(workshop.mint.sign(header, claims, key=thief))


async def _other_type(workshop: Workshop, token: str) -> Broken:
    _, header, claims = _readable(workshop, token)
    return Broken(workshop.mint.sign({**header, "typ": "secevent+jwt"}, claims))


async def _stripped(workshop: Workshop, token: str) -> Broken:
    good, _, _ = _readable(workshop, token)
    return Broken(good.rpartition(".")[0] + ".")


async def _truncated(workshop: Workshop, token: str) -> Broken:
    good, _, _ = _readable(workshop, token)
    lost = 16 + (len(good.rpartition(".")[2]) - 17) % 4  # one character is left of four: no base64url (RFC 4648 §4)
    return Broken(good[:-lost])


async def _swapped(workshop: Workshop, token: str) -> Broken:
    good, _, _ = _readable(workshop, token)
    return Broken(tamper(good, sub="root", scope="notes:read notes:write"))


async def _withdrawn(workshop: Workshop, token: str) -> Broken:
    good, header, _ = _readable(workshop, token)
    await workshop.withdraw_key(str(header.get("alg")))
    return Broken(good)


async def _revoked(workshop: Workshop, token: str) -> Broken:
    good, header, claims = _readable(workshop, token)
    if not isinstance(claims.get("jti"), str):
        good = workshop.mint.sign(header, {**claims, "jti": f"playground-{time.time_ns()}"})
    await workshop.revoke("token", good)
    return Broken(good)


async def _without_proof(workshop: Workshop, token: str) -> Broken:
    bound = parts_of(token).bound_to("jkt") or parts_of(token).bound_to("x5t#S256")
    return Broken(token if bound else workshop.good("dpop"), "none")


async def _replayed(workshop: Workshop, token: str) -> Broken:
    return Broken(token if parts_of(token).bound_to("jkt") else workshop.good("dpop"), "replayed")


async def _absent(_: Workshop, __: str) -> Broken:
    return Broken(None)


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("no token", "Nothing is presented: 401 with a bare challenge.", _absent),
        Fault("expired", "Its exp passed a minute ago.", _expired),
        Fault("not yet valid", "Its nbf is ten minutes ahead.", _not_yet_valid),
        Fault("other audience", "Honestly signed, for another service.", _changed(aud="https://other.example")),
        Fault("other issuer", "The iss is the configured one with an extra slash.", _other_issuer),
        Fault("alg none", "No signature, and a header that says so.", _unsigned),
        Fault("HS256 with the public key", "The public key is used as a shared secret.", _confused),
        Fault("other key", "Signed with an unpublished key, under the kid of a published one.", _other_key),
        Fault("other typ", "A security event token, not an access token.", _other_type),
        Fault("stripped", "The signature is cut off.", _stripped),
        Fault("truncated", "The last characters are lost, as in a header that is too short.", _truncated),
        Fault("swapped payload", "Another subject and more scopes, but the old signature.", _swapped),
        Fault("withdrawn key", "The issuer rotates and withdraws the key that signed this token.", _withdrawn),
        Fault("revoked", "This token is revoked in all three servers.", _revoked),
        Fault("no proof", "A token that is bound to a key, sent without proof of that key.", _without_proof),
        Fault("replayed proof", "A DPoP proof that was used a moment ago.", _replayed),
    )
}
"""The buttons, by name."""
