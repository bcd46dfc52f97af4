"""The keys of a document, one by one: usable for what, or why not (pure).

Rule of this file: `read_key` and `JWKSet.parse` decide. Of a key that has private members nothing but that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bearward.jose.jwk import RejectedKeyError, VerificationKey, read_key
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jose.strict_json import JWKS_LIMITS, parse_object
from bearward.jwks.options import JWKSOptions

__all__ = ["KeyLine", "key_lines", "why_no_set"]

_MOST = 256
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of a set."""

    kid: str | None
    kind: str
    """Type and curve: `EC P-256`."""
    algorithms: tuple[str, ...]
    """What it may verify; empty where it is not used."""
    why_not: str | None
    """Why it is not used."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kid": self.kid, "kind": self.kind, "algorithms": [*self.algorithms], "why_not": self.why_not}


def why_no_set(document: bytes, options: JWKSOptions, now: float) -> str | None:
    """Why a document is no usable key set; None where it is one."""
    try:
        JWKSet.parse(document, authorities=options.authorities, now=now)
    except JWKSetError as error:
        return str(error)
    return None


def key_lines(document: bytes, options: JWKSOptions, now: float) -> list[KeyLine]:
    """A line for each key of a document; none where it is no set."""
    try:
        members = parse_object(document, JWKS_LIMITS).get("keys")
    except ValueError:
        return []
    return [_line(member, options, now) for member in members[:_MOST]] if isinstance(members, list) else []


def of_keys(keys: JWKSet) -> list[KeyLine]:
    """A line for each key of a set that is configured; a shared secret is a line without anything of it."""
    return [_usable(key) for key in keys.keys]


def _line(member: object, options: JWKSOptions, now: float) -> KeyLine:
    try:
        key = read_key(member, certified=options.authorities is not None)
    except RejectedKeyError as error:
        return _unusable(member, error.reason.value)
    certificates = member.get("x5c") if isinstance(member, dict) else None
    if options.authorities is not None and not options.authorities.trusts(certificates, now):
        return _unusable(member, "its certificate does not lead to x5c_authorities")
    return _usable(key)


def _usable(key: VerificationKey) -> KeyLine:
    return KeyLine(key.kid, f"{key.kty} {key.crv}" if key.crv else key.kty, tuple(sorted(key.algorithms)), None)


def _unusable(member: object, why: str) -> KeyLine:
    if not isinstance(member, dict):
        return KeyLine(None, "?", (), why)
    kid, kind = (
        _short(member.get("kid")),
        " ".join(filter(None, (_short(member.get("kty")), _short(member.get("crv"))))),
    )
    return KeyLine(kid, kind or "?", (), why)


def _short(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None
