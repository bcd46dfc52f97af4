"""How an explanation words values: claims hidden or shown, names in a row, durations.

Rules of this file: pure. What comes from a token is escaped and shortened, so that it can be shown on a terminal; a value
of a claim is hidden unless `Wording.show_claims` says otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Wording", "duration", "names"]

_LONGEST = 120
_MOST_NAMES = 8
_UNITS = ((86400 * 365.25, "years"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Wording:
    """How values of claims are worded."""

    show_claims: bool = False

    def value(self, value: Any) -> str:
        """The value of a claim, or what kind of value it is.

        >>> Wording().value("ada"), Wording(show_claims=True).value("ada")
        ('a string of 3 characters (hidden)', '"ada"')
        """
        return shown(value) if self.show_claims else f"{_kind(value)} (hidden)"

    def or_hidden(self, value: Any, known: Iterable[object]) -> str:
        """The value where it is among `known`, which are ours; else as `value` says."""
        return shown(value) if isinstance(value, str) and value in set(known) else self.value(value)


def shown(value: Any) -> str:
    """A value of a token as JSON: one line of ASCII, shortened."""
    try:
        text = json.dumps(value, default=_plain)
    except (ValueError, RecursionError, TypeError):
        return "a value that cannot be shown"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return "null" if value is None else "an object"


def names(given: Iterable[object]) -> str:
    """Names of the configuration in a row, sorted; no more than eight.

    >>> names(["b", "a"])
    'a or b'
    """
    several = sorted({"no typ" if name is None else str(name) for name in given})
    more = len(several) - _MOST_NAMES
    if more > 0:
        return f"{', '.join(several[:_MOST_NAMES])} or {more} others"
    return " or ".join(filter(None, [", ".join(several[:-1]), *several[-1:]]))


def duration(seconds: float) -> str:
    """A span of time in its two largest units.

    >>> duration(7384), duration(0.4), duration(86400 * 800)
    ('2 h 3 min', '0.4 s', '2 years 69 d')
    """
    seconds = abs(seconds)
    if not math.isfinite(seconds) or seconds >= 1000 * _UNITS[0][0]:
        return "more than 1000 years"
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    parts: list[str] = []
    for size, unit in _UNITS:
        count = int(seconds // size)
        if count or parts:
            parts.append(f"{count} {unit}")
            seconds -= count * size
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 "))
