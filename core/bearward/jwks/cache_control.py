"""How long an HTTP answer is fresh: Cache-Control, Age and Expires (RFC 9111 sections 4.2 and 5), clamped.

Rules of this file: pure; a header that makes no sense counts as absent; what the issuer says is clamped to the
configured bounds, so that neither `no-store` nor `max-age=31536000` takes the decision out of the operator's hands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from bearward.jwks.options import JWKSOptions

__all__ = ["clamp", "lifetime_of"]

_MAX_DIGITS = 10


def lifetime_of(headers: Mapping[str, str], now: float) -> float | None:
    """The freshness lifetime in seconds that is left on arrival, or None where the issuer says nothing.

    `headers` has lower-case names, repeated ones joined by commas; `now` is the wall clock.

    >>> lifetime_of({"cache-control": "public, max-age=300", "age": "100"}, 0.0)
    200.0
    >>> lifetime_of({"cache-control": "no-store"}, 0.0)
    0.0
    """
    directives = dict(_directives(headers.get("cache-control", "")))
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    lifetime = _seconds(directives.get("max-age"))
    if lifetime is None:
        expires = _date(headers.get("expires"))
        if expires is None:
            return 0.0 if "expires" in headers else None  # RFC 9111 section 5.3: an invalid date is in the past
        lifetime = expires - (_date(headers.get("date")) or now)
    return max(0.0, lifetime - (_seconds(headers.get("age")) or 0.0))


def clamp(said: float | None, options: JWKSOptions) -> float:
    """What the issuer said, within `min_age` and `max_age`; `max_age` where it said nothing. Infinity stays."""
    if said is None:
        return options.max_age
    if said == math.inf:  # a static set: nothing to refresh
        return said
    return min(options.max_age, max(options.min_age, said))


def _directives(value: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in value.split(","))
    return [(name.strip().lower(), text.strip().strip('"')) for name, _, text in parts]


def _seconds(text: str | None) -> float | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return float(text) if len(text) <= _MAX_DIGITS else float(10**_MAX_DIGITS)


def _date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
