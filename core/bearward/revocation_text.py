"""How revocations look in a store that a fleet shares: JSON behind an HMAC over it and its place.

Rule of this file: pure. What is not authentic is nothing: whoever can write the store can neither revoke anything nor
put one entry in the place of another. (They can delete; see docs/revocation.md for what that does.)
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Sequence

from bearward.revocation_entry import KINDS, Revocation

__all__ = ["NotAuthenticError", "open_sealed", "pack", "seal", "unpack"]

_CONTEXT = b"bearward revocations 1\x00"


class NotAuthenticError(ValueError):
    """A text that this fleet did not write to this place; the message is a constant."""

    def __init__(self) -> None:
        super().__init__("not authentic")


def pack(revocations: Sequence[Revocation]) -> str:
    """The entries as JSON; infinity becomes null.

    >>> pack([Revocation("jti", "https://login.example", "7f3a", float("inf"), 2e9)])
    '[["jti","https://login.example","7f3a",null,2000000000.0]]'
    """
    rows = [(*entry[:3], _finite(entry.before), _finite(entry.until)) for entry in revocations]
    return json.dumps(rows, separators=(",", ":"))


def unpack(text: str) -> list[Revocation]:
    """What `pack` made; raise `ValueError` for entries that this version does not know."""
    return [_entry(row) for row in json.loads(text)]


def seal(text: str, *, place: str, secret: bytes) -> str:
    """The text, authenticated for the place (the key in the store) where it will stand."""
    return f"{_mac(text, place, secret)} {text}"


def open_sealed(sealed: str, *, place: str, secret: bytes) -> str:
    """The text that was sealed for `place`; raise `NotAuthenticError` for anything else."""
    mac, _, text = sealed.partition(" ")
    if not hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(text, place, secret).encode()):
        raise NotAuthenticError
    return text


def _mac(text: str, place: str, secret: bytes) -> str:
    octets = _CONTEXT + place.encode() + b"\x00" + text.encode("utf-8", "surrogatepass")
    return hmac.new(secret, octets, "sha256").hexdigest()


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _entry(row: Sequence[object]) -> Revocation:
    kind, issuer, name, before, until = row
    if kind not in KINDS or not isinstance(issuer, str) or not isinstance(name, str):
        raise ValueError("an entry of another version")
    return Revocation(str(kind), issuer, name, _seconds(before), _seconds(until))


def _seconds(value: object) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("an entry of another version")
    return float(value)
