"""The health of one issuer's keys: one object, one line (pure).

Rule of this file: numbers, states, thumbprints of public keys and causes of failed fetches; nothing that may hold a
token or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bearward.fetch.errors import FetchFailure
from bearward.jwks.freshness import Freshness

__all__ = ["IssuerHealth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerHealth:
    """The health of one issuer's keys. Ages and spans are seconds; moments are seconds since the epoch."""

    issuer: str
    state: Freshness
    ready: bool
    """Whether tokens of this issuer can be verified; also before the first attempt if the start is lazy."""
    generation: int = 0
    keys: int = 0
    rejected_keys: Mapping[str, int] = field(default_factory=dict)
    """How many keys are not used, by reason."""
    thumbprint: str | None = None
    """Of the set: the same in every process that holds the same keys."""
    age: float | None = None
    last_success: float | None = None
    last_error: str | None = None
    """The last failure (URL, setting, cause, remedy), until an attempt succeeds."""
    last_failure: FetchFailure | None = None
    """The class of that failure."""
    last_error_fields: Mapping[str, str] | None = None
    """The same, field by field: `failure`, `cause` and, where known, `url`, `setting` and `remedy`."""
    last_error_at: float | None = None
    failures: int = 0
    """Attempts in a row that failed."""
    stale_left: float | None = None
    """How long the held keys can still be used if the issuer continues failing."""
    next_refresh: float | None = None
    """In how many seconds; None if none is scheduled."""
    attempts: int = 0
    """Refreshes begun since the process started."""
    waiters: int = 0
    """Callers that wait for a fetch."""
    cache: str | None = None
    """The shared cache: `ok`, or what is wrong with it; None if there is none."""

    def to_dict(self) -> dict[str, Any]:
        """For a health page, as JSON."""
        known = {name: getattr(self, name) for name in self.__slots__}
        failure = None if self.last_failure is None else self.last_failure.name.lower()
        plain = {"state": self.state.value, "last_failure": failure, "rejected_keys": dict(self.rejected_keys)}
        return {**known, **plain}

    def line(self) -> str:
        """For a log or a terminal."""
        rejected = sum(self.rejected_keys.values())
        parts = [
            f"{self.issuer}: {self.state.value}",
            f"generation {self.generation}",
            _counted(self.keys, "key") + (f" ({rejected} rejected)" if rejected else ""),
        ]
        if self.age is not None:
            parts.append(f"age {self.age:.0f} s")
        if self.thumbprint is not None:
            parts.append(f"set {self.thumbprint[:12]}")
        if self.last_error is not None:
            parts.append(f"{_counted(self.failures, 'failure')}: {self.last_error}")
        if self.stale_left is not None:
            parts.append(f"usable for {self.stale_left:.0f} s more")
        if self.next_refresh is not None:
            parts.append(f"next refresh in {self.next_refresh:.0f} s")
        if self.cache not in (None, "ok"):
            parts.append(f"shared cache: {self.cache}")
        return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
