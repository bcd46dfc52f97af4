"""The format of revocations in a store that a fleet shares: JSON, authenticated by `bearward.cache.sealed`.

Rule of this file: pure, and strict. An entry of a kind or format that this version does not know is rejected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final

from bearward.revocation.entry import KINDS, Revocation

__all__ = ["PURPOSE", "pack", "unpack"]

PURPOSE: Final = "revocations 1"
"""The purpose of the seal."""


def pack(revocations: Sequence[Revocation]) -> str:
    """The entries as JSON; infinity becomes null.

    >>> pack([Revocation("jti", "https://login.example", "7f3a", float("inf"), 2e9)])
    '[["jti","https://login.example","7f3a",null,2000000000.0]]'
    """
    rows = [(*entry[:3], _finite(entry.before), _finite(entry.until)) for entry in revocations]
    return json.dumps(rows, separators=(",", ":"))


def unpack(text: str) -> list[Revocation]:
    """The entries that `pack` wrote; raises `ValueError` or `TypeError` for what this version does not know."""
    return [_entry(row) for row in json.loads(text)]


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
