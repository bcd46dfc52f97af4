"""How to find a claim: by its exact name, by the path to it through objects, or by a name with dots.

Rule of this file: pure. A claim that is not there is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Path", "by_dots", "claim_at", "json_equal"]

Path = tuple[str, ...]


def claim_at(claims: Mapping[str, Any], claim: str | Path) -> Any:
    """The claim of this exact name, or at the end of this path; None if there is none.

    >>> claim_at({"a.b": 1, "a": {"b": 2}}, "a.b"), claim_at({"a.b": 1, "a": {"b": 2}}, ("a", "b"))
    (1, 2)
    """
    if isinstance(claim, str):
        return claims.get(claim)
    held: Any = claims
    for part in claim:
        if not isinstance(held, Mapping) or part not in held:
            return None
        held = held[part]
    return held


def by_dots(held: Any, name: str) -> Any:
    """What `name` leads to, or None; it is split at its last dot first, then at earlier ones."""
    if not isinstance(held, Mapping):
        return None
    if name in held:
        return held[name]
    end = name.rfind(".")
    while end > 0:
        found = by_dots(held[name[:end]], name[end + 1 :]) if name[:end] in held else None
        if found is not None:
            return found
        end = name.rfind(".", 0, end)
    return None


def json_equal(have: Any, want: Any) -> bool:
    """Whether two values are the same in JSON: `True == 1` in Python, and there they differ."""
    return have == want and isinstance(have, bool) == isinstance(want, bool)
