"""What is known about one issuer's keys, and how each event changes it; knows neither event loop nor network.

Rule of this file: one method per event, called on one thread; `view`, `held` and `record` are replaced whole, so that
other threads read them without a lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

from bearward.clock import Clock
from bearward.errors import AuthError
from bearward.fetch.errors import FetchError
from bearward.jose.jwk_set import JWKSet
from bearward.jwks import freshness as machine
from bearward.jwks.entry import Entry, HeldKeys, StaleEntryError
from bearward.jwks.freshness import Decision, FetchRecord, Freshness, Trigger
from bearward.jwks.health import IssuerHealth
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.jwks.spiffe_bundle import is_older
from bearward.jwks.unknown_kids import UnknownKids
from bearward.refusals import Refusal

__all__ = ["KeyState", "MissAction"]

_MIN_RETRY_AFTER = 1.0


class MissAction(Enum):
    """What to do about a `kid` that is not in the set that was searched."""

    UNKNOWN = "refuse at once: KEY_UNKNOWN"
    REREAD = "a newer set is held: look again"
    FETCH = "await refresh_after_miss"


class KeyState:
    """The state of one issuer's keys. `jitter` returns numbers from 0 to 1."""

    def __init__(self, issuer: str, options: JWKSOptions, clock: Clock, jitter: Callable[[], float]) -> None:
        self.issuer = issuer
        self.options = options
        self._clock = clock
        self._jitter = jitter
        self.record: FetchRecord = FetchRecord()
        self.entry: Entry | None = None
        self.held: HeldKeys | None = None
        self.unknown: UnknownKids = UnknownKids(options.max_unknown_kids)
        self.attempts: int = 0
        self.error: FetchError | None = None
        self._error_at: float | None = None

    @property
    def never_changes(self) -> bool:
        """Whether the keys are configured, so that no refresh can change them."""
        return self.record.refresh_at == math.inf

    def decide(self, trigger: Trigger) -> Decision:
        """The decision of the state machine, now."""
        return machine.decide(self.record, self.options, self._clock.monotonic(), trigger)

    def freshness(self) -> Freshness:
        """The state, now."""
        return machine.freshness(self.record, self.options, self._clock.monotonic())

    def usable(self) -> HeldKeys | None:
        """The keys, if they may be used now."""
        return self.held if self._clock.monotonic() < self.usable_until() else None

    def usable_or_refuse(self) -> HeldKeys:
        """The keys, if they may be used now; raise `AuthError` (KEYS_UNAVAILABLE) otherwise."""
        held = self.usable()
        if held is None:
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=self.retry_after())
        return held

    def usable_until(self) -> float:
        """Until when the keys may be used if nothing more happens."""
        return machine.usable_until(self.record, self.options)

    @property
    def is_wanted(self) -> bool:
        """Whether keys are held, or were asked for: where nobody uses a lazy issuer, nothing is asked in the background."""
        return self.attempts > 0 or self.entry is not None

    @property
    def is_outdated(self) -> bool:
        """Whether what is held may not be used any more, though no attempt has failed since it was fetched."""
        state = self.freshness()
        return state is Freshness.EXPIRED or (
            state is Freshness.UNAVAILABLE and self.entry is not None and not self.error
        )

    def next_attempt(self) -> float:
        """The earliest moment for another attempt, by the monotonic clock."""
        return machine.next_attempt(self.record, self.options)

    def retry_after(self) -> float:
        """Seconds after which a caller should retry."""
        wait = self.next_attempt() - self._clock.monotonic()
        return max(_MIN_RETRY_AFTER, wait)

    def record_attempt(self, trigger: Trigger) -> float:
        """An attempt begins; returns when."""
        now = self._clock.monotonic()
        self.record = machine.after_attempt(self.record, self.options, now, trigger)
        self.attempts += 1
        return now

    def record_failure(self, error: FetchError, trigger: Trigger = Trigger.LOOKUP) -> bool:
        """An attempt failed. Whether it failed in another way than the last one."""
        if isinstance(error, StaleEntryError):
            self.accept(error.entry)
        now, jitter = self._clock.monotonic(), self._jitter()
        self.record = machine.after_failure(self.record, self.options, now, jitter, trigger)
        is_new = self.error is None or self.error.failure is not error.failure
        self.error, self._error_at = error, self._clock.now()
        return is_new

    def accept(self, entry: Entry) -> bool:
        """A usable entry came in: hold it, unless a newer one is held. Whether the keys changed."""
        before = self.entry
        if before is not None and not self._is_newer(entry, before):
            return False
        if before is not None and self.usable() is not None and is_older(entry.document, before.document):
            return False  # of a peer that was served by a replica which lags behind
        if before is not None and _same_keys(before.jwk_set, entry.jwk_set):  # the same keys keep the same object
            entry = replace(entry, jwk_set=before.jwk_set)
        changed = before is None or before.jwk_set is not entry.jwk_set
        fetched_at = self._clock.monotonic() - max(0.0, self._clock.now() - entry.fetched_at)
        if self.record.fetched_at is not None:  # a wall clock that was set makes no new response an old one
            fetched_at = max(fetched_at, self.record.fetched_at)
        self.record = machine.after_success(
            self.record,
            self.options,
            fetched_at=fetched_at,
            lifetime=entry.lifetime,
            changed=changed,
            jitter=self._jitter(),
        )
        self.entry, self.error = entry, None
        if changed:
            self.held = HeldKeys(entry.jwk_set, self.record.generation)
            self.unknown.clear()
        return changed

    def _is_newer(self, entry: Entry, before: Entry) -> bool:
        """Whether `entry` was requested later, or at the same time with other content; allows for a clock that was set back."""
        if entry.fetched_at == before.fetched_at:
            return entry.document != before.document
        return entry.fetched_at >= min(before.fetched_at, self._clock.now())

    def miss_trigger(self, kid: str | None) -> Trigger:
        """Why a token of this `kid` needs another set: its key is not held, or did not make its signature."""
        held = kid is not None and self.held is not None and self.held.jwk_set.holds(kid)
        return Trigger.BAD_SIGNATURE if held else Trigger.UNKNOWN_KID

    def decide_on_miss(self, kid: str | None, generation: int, *, in_flight: bool, queue_full: bool) -> MissAction:
        """What to do about a token that no key of the set of `generation` verified, with or without a refresh under way.

        `queue_full`: no more callers can wait for it.
        """
        if self.held is not None and self.held.generation > generation:
            return MissAction.REREAD
        if self.never_changes or self.unknown.holds(kid, self._clock.monotonic()):
            return MissAction.UNKNOWN
        if in_flight:
            return MissAction.UNKNOWN if queue_full else MissAction.FETCH
        return MissAction.FETCH if self.decide(self.miss_trigger(kid)) is Decision.REFRESH else MissAction.UNKNOWN

    def record_unknown_kid(self, kid: str | None, began: float) -> None:
        """A request to the issuer that started at `began` did not return `kid`: remember that for one cooldown.

        At least for a second from now: callers that waited for that request must not start the next one.
        """
        if kid is not None and self.entry is not None and self.entry.jwk_set.holds(kid):
            return
        at_least = self._clock.monotonic() + _MIN_RETRY_AFTER
        self.unknown.remember_until(kid, max(began + self.options.cooldown, at_least))

    def health(self, *, in_flight: bool = False, cache: str | None = None, waiters: int = 0) -> IssuerHealth:
        """The health of these keys."""
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
            thumbprint=None if entry is None else entry.jwk_set.shown_thumbprint,
            age=None if record.fetched_at is None else max(0.0, now - record.fetched_at),
            last_success=None if entry is None else entry.fetched_at,
            last_error_at=self._error_at,
            **_described(self.error),
            failures=record.failures,
            stale_left=_finite(max(0.0, record.fresh_until + self.options.stale_if_error - now)) if entry else None,
            next_refresh=0.0 if in_flight else self._seconds_to_refresh(now),
            attempts=self.attempts,
            cache=cache,
            waiters=waiters,
        )

    def _seconds_to_refresh(self, now: float) -> float | None:
        return _finite(max(0.0, self.next_attempt() - now)) if self.is_wanted else None


def _described(error: FetchError | None) -> dict[str, Any]:
    """The members of `IssuerHealth` that say what failed last."""
    if error is None:
        return {}
    return {"last_error": str(error), "last_failure": error.failure, "last_error_fields": error.fields()}


def _same_keys(one: JWKSet, other: JWKSet) -> bool:
    return one.thumbprint == other.thumbprint and one.rejected == other.rejected


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
