"""How long an HTTP response is fresh: Cache-Control, Age and Expires (RFC 9111 sections 4.2 and 5), clamped.

Rules of this file: pure; an invalid header counts as absent; the issuer's values are clamped to the configured bounds,
so that neither `no-store` nor `max-age=31536000` overrides the operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

__all__ = ["Validators", "http_date", "lifetime_of"]

_MAX_DIGITS = 10


def lifetime_of(headers: Mapping[str, str], now: float) -> float | None:
    """The freshness lifetime in seconds that is left on arrival, or None if the issuer says nothing.

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
        expires = http_date(headers.get("expires"))
        if expires is None:
            return 0.0 if "expires" in headers else None  # RFC 9111 section 5.3: an invalid date is in the past
        lifetime = expires - (http_date(headers.get("date")) or now)
    return max(0.0, lifetime - (_seconds(headers.get("age")) or 0.0))


def _directives(value: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in value.split(","))
    return [(name.strip().lower(), text.strip().strip('"')) for name, _, text in parts]


def _seconds(text: str | None) -> float | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return float(text) if len(text) <= _MAX_DIGITS else float(10**_MAX_DIGITS)


def http_date(text: str | None) -> float | None:
    """The moment that a header names, in seconds since the epoch; None where it names none."""
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes the next request conditional (RFC 9110 section 8.8), valid for one URL."""

    url: str
    etag: str | None = None
    last_modified: str | None = None

    def conditions(self, url: str) -> dict[str, str]:
        """The headers of a conditional request for `url`; none if these validators are for another URL."""
        if url != self.url:
            return {}
        if self.etag is not None:
            return {"if-none-match": self.etag}
        return {} if self.last_modified is None else {"if-modified-since": self.last_modified}
