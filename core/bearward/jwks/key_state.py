"""What is known about one issuer's keys, and how each event changes it; knows neither loop nor network.

Rule of this file: one method per event, called on one thread; `view`, `held` and `record` are replaced whole, so that
other threads read them without a lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from bearward.clock import Clock
from bearward.fetch.errors import FetchError
from bearward.jose.jwk_set import JWKSet
from bearward.jwks import freshness as machine
from bearward.jwks.entry import Entry, HeldKeys, StaleEntryError
from bearward.jwks.freshness import Answer, Freshness, Record, Why
from bearward.jwks.health import IssuerHealth
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.jwks.unknown_kids import UnknownKids

__all__ = ["KeyState", "Miss"]

_MIN_RETRY_AFTER = 1.0


class Miss(Enum):
    """What to do about a `kid` that is not in the set that was looked in."""

    UNKNOWN = "refuse at once: KEY_UNKNOWN"
    REREAD = "a newer set is held: look again"
    FETCH = "await refresh_after_miss"


class KeyState:
    """The state of one issuer's keys. `jitter` answers numbers from 0 to 1."""

    def __init__(self, issuer: str, options: JWKSOptions, clock: Clock, jitter: Callable[[], float]) -> None:
        self.issuer = issuer
        self.options = options
        self._clock = clock
        self._jitter = jitter
        self.record: Record = Record()
        self.entry: Entry | None = None
        self.held: HeldKeys | None = None
        self.unknown: UnknownKids = UnknownKids(options.max_unknown_kids)
        self.attempts: int = 0
        self.error: FetchError | None = None
        self._error_at: float | None = None

    @property
    def never_changes(self) -> bool:
        """Whether the keys are configured, so that no refresh can bring others."""
        return self.record.refresh_at == math.inf

    def decide(self, why: Why) -> Answer:
        """The answer of the state machine, now."""
        return machine.decide(self.record, self.options, self._clock.monotonic(), why)

    def freshness(self) -> Freshness:
        """The state, now."""
        return machine.freshness(self.record, self.options, self._clock.monotonic())

    def usable(self) -> HeldKeys | None:
        """The keys, if they may be used now."""
        return self.held if self._clock.monotonic() < self.usable_until() else None

    def usable_until(self) -> float:
        """Until when the keys may be used if nothing more happens."""
        return machine.usable_until(self.record, self.options)

    def next_attempt(self) -> float:
        """The earliest moment for another attempt, by the monotonic clock."""
        return machine.next_attempt(self.record, self.options)

    def retry_after(self) -> float:
        """Seconds that a caller should wait who could not be served."""
        wait = self.next_attempt() - self._clock.monotonic()
        return max(_MIN_RETRY_AFTER, wait)

    def attempt(self) -> float:
        """An attempt begins; answers when."""
        now = self._clock.monotonic()
        self.record = machine.attempted(self.record, self.options, now)
        self.attempts += 1
        return now

    def fail(self, error: FetchError) -> bool:
        """An attempt failed. Whether that is news."""
        if isinstance(error, StaleEntryError):
            self.take(error.entry)
        self.record = machine.failed(self.record, self.options, self._clock.monotonic(), self._jitter())
        news = self.error is None or self.error.failure is not error.failure
        self.error, self._error_at = error, self._clock.now()
        return news

    def take(self, entry: Entry) -> bool:
        """A usable entry came in: hold it, unless a newer one is held. Whether the keys are others than before."""
        before = self.entry
        if before is not None and not self._is_news(entry, before):
            return False
        if before is not None and _alike(before.jwk_set, entry.jwk_set):  # the same keys keep the same object
            entry = replace(entry, jwk_set=before.jwk_set)
        changed = before is None or before.jwk_set is not entry.jwk_set
        fetched_at = self._clock.monotonic() - max(0.0, self._clock.now() - entry.fetched_at)
        if self.record.fetched_at is not None:  # a wall clock that was set makes no new answer an old one
            fetched_at = max(fetched_at, self.record.fetched_at)
        self.record = machine.succeeded(
            self.record,
            self.options,
            fetched_at=fetched_at,
            lifetime=entry.lifetime,
            changed=changed,
            jitter=self._jitter(),
        )
        self.entry, self.error = entry, None
        if changed or self.held is None:
            self.held = HeldKeys(entry.jwk_set, self.record.generation)
            self.unknown.clear()
        return changed

    def _is_news(self, entry: Entry, before: Entry) -> bool:
        """Whether `entry` was asked for later, or as late and says something else; a clock that was set back counts."""
        if entry.fetched_at == before.fetched_at:
            return entry.document != before.document
        return entry.fetched_at >= min(before.fetched_at, self._clock.now())

    def judge_miss(self, kid: str | None, generation: int, *, flying: bool, full: bool) -> Miss:
        """What to do about a `kid` that is not in the set of `generation`, with or without a refresh under way.

        `full`: no more callers can wait for it.
        """
        if self.held is not None and self.held.generation > generation:
            return Miss.REREAD
        if self.never_changes or self.unknown.holds(kid, self._clock.monotonic()):
            return Miss.UNKNOWN
        if flying:
            return Miss.UNKNOWN if full else Miss.FETCH
        return Miss.FETCH if self.decide(Why.MISS) is Answer.REFRESH else Miss.UNKNOWN

    def miss(self, kid: str | None, began: float | None = None) -> None:
        """A refresh did not bring `kid`: remember that for a while, longer if it was `began` for its sake."""
        if kid is not None and self.entry is not None and self.entry.jwk_set.holds(kid):
            return
        first, most = self.options.cooldown, self.options.unknown_kid_ttl
        if began is None:
            self.unknown.add(kid, self._clock.monotonic() + first)
        else:
            self.unknown.learn(kid, began, first=first or most, most=most)

    def health(self, *, flying: bool = False, cache: str | None = None) -> IssuerHealth:
        """How it stands."""
        record, now = self.record, self._clock.monotonic()
        state, entry = self.freshness(), self.entry
        lazy = self.options.start is StartMode.LAZY and not record.failures
        return IssuerHealth(
            issuer=self.issuer,
            state=state,
            ready=state is not Freshness.UNAVAILABLE or lazy,
            generation=record.generation,
            keys=0 if entry is None else len(entry.jwk_set.keys),
            rejected_keys={} if entry is None else entry.jwk_set.rejection_counts(),
            thumbprint=None if entry is None else entry.jwk_set.thumbprint,
            age=None if record.fetched_at is None else max(0.0, now - record.fetched_at),
            last_success=None if entry is None else entry.fetched_at,
            last_error=None if self.error is None else str(self.error),
            last_error_at=self._error_at,
            failures=record.failures,
            stale_left=_finite(max(0.0, record.fresh_until + self.options.stale_if_error - now)) if entry else None,
            next_refresh=0.0 if flying else _finite(max(0.0, self.next_attempt() - now)) if self.attempts else None,
            attempts=self.attempts,
            cache=cache,
        )


def _alike(one: JWKSet, other: JWKSet) -> bool:
    return one.thumbprint == other.thumbprint and one.rejected == other.rejected


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
