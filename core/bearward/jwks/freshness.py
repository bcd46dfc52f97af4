"""The freshness of a key set, as a pure state machine: from (what was recorded, now, the trigger) to a decision.

Rules of this file: no clock, no I/O, no randomness; times are seconds of the monotonic clock, and jitter is an argument
from 0 to 1. `FetchRecord` is what was recorded about one issuer; each event returns a new one.

    state        when                                   LOOKUP                            UNKNOWN_KID, BAD_SIGNATURE
    -----------  -------------------------------------  --------------------------------  --------------------------
    FRESH        before `refresh_at`                    USE                               REFRESH | REFUSE
    REFRESH_DUE  from then to the end of the lifetime   USE_AND_REFRESH | USE             REFRESH | REFUSE
    EXPIRED      past it, and the issuer was not tried  REFRESH                           REFRESH | REFUSE
    STALE        past it, and the issuer fails, for     USE_AND_REFRESH | USE             REFRESH | REFUSE
                 less than `stale_if_error`
    UNAVAILABLE  nothing held, or all of it went by     REFRESH | REFUSE                  REFRESH | REFUSE

"The issuer fails" means: the refresh that was due failed, or an earlier attempt did and the rate limit still holds
because of it. An old failure does not justify using an old set: once an attempt is allowed, the issuer is tried first.

The second decision of a pair applies while the rate limit holds. The rate limit: each attempt takes a permit from a
bucket that holds `burst` of them and gains one per `cooldown`, whether the attempt succeeds or not. While the issuer
fails, exponential back-off with full jitter is added. A lookup at a healthy issuer needs no permit (the lifetime of the
set spaces those attempts), so no flood of unknown `kid`s can delay a scheduled refresh.

A bad signature under a held `kid` may mean that the issuer replaced the key. Its allowance is its own: one attempt once the
held set is a cooldown old, and one per cooldown while these fail. It takes no permit, and its failure counts for nothing
while the set is fresh, so no flood of bad signatures can delay a scheduled refresh or the refresh for an unknown `kid`.

A set that arrives late never replaces a newer one: what counts is when it was requested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from bearward.jwks.options import JWKSOptions

__all__ = [
    "Decision", "FetchRecord", "Freshness", "Trigger", "after_attempt", "after_failure", "after_success", "clamp", "decide",
    "freshness", "may_attempt", "next_attempt", "permits", "usable_until",
]  # fmt: skip

_NEVER = -math.inf
_MAX_DOUBLINGS = 30


class Freshness(Enum):
    """The state of an issuer's keys; see the table above."""

    FRESH = "fresh"
    REFRESH_DUE = "refresh due"
    EXPIRED = "expired"
    STALE = "stale"
    UNAVAILABLE = "unavailable"


class Trigger(Enum):
    """Trigger the keys are asked for."""

    LOOKUP = "lookup"
    UNKNOWN_KID = "unknown kid"
    BAD_SIGNATURE = "bad signature under a held kid"


class Decision(Enum):
    """What to do."""

    USE = "use"
    USE_AND_REFRESH = "use what is held, refresh in the background"
    REFRESH = "refresh, and wait for it"
    REFUSE = "refuse at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRecord:
    """What is remembered of one issuer. Without `fetched_at` nothing is held."""

    fetched_at: float | None = None
    """When the held set was requested."""
    fresh_until: float = _NEVER
    refresh_at: float = _NEVER
    generation: int = 0
    """How many different sets were accepted; a caller whose `kid` was not in an older one looks in the newer one first."""
    failures: int = 0
    """Attempts that failed since the last one that succeeded."""
    failed_at: float = _NEVER
    not_before: float = _NEVER
    """Back-off: no attempt before."""
    permits: float = math.inf
    """Permits in the bucket at `permits_at`, at most `burst`."""
    permits_at: float = 0.0
    bad_signature_at: float = _NEVER
    """When the last attempt began that a bad signature caused, unless a set was accepted since."""


def usable_until(record: FetchRecord, options: JWKSOptions) -> float:
    """Until when the held set may be used if nothing more happens."""
    if record.fetched_at is None:
        return _NEVER
    if not record.failures:
        return record.fresh_until
    last = record.fresh_until + options.stale_if_error
    if record.failed_at >= record.refresh_at:
        return last
    return min(last, max(record.fresh_until, _rate_limited_until(record, options)))


def freshness(record: FetchRecord, options: JWKSOptions, now: float) -> Freshness:
    """The state at `now`."""
    if record.fetched_at is None or now >= record.fresh_until + options.stale_if_error:
        return Freshness.UNAVAILABLE
    if now < record.fresh_until:
        return Freshness.FRESH if now < record.refresh_at else Freshness.REFRESH_DUE
    return Freshness.STALE if now < usable_until(record, options) else Freshness.EXPIRED


def _rate_limited_until(record: FetchRecord, options: JWKSOptions) -> float:
    """When the next attempt is allowed at an issuer that fails."""
    missing = max(0.0, 1.0 - record.permits) if options.cooldown else 0.0
    return max(record.not_before, record.permits_at + missing * options.cooldown)


def permits(record: FetchRecord, options: JWKSOptions, now: float) -> float:
    """How many attempts the bucket allows at `now`."""
    if options.cooldown == 0:
        return float(options.burst)
    return min(float(options.burst), record.permits + max(0.0, now - record.permits_at) / options.cooldown)


def may_attempt(record: FetchRecord, options: JWKSOptions, now: float, trigger: Trigger) -> bool:
    """Whether the rate limit allows an attempt."""
    if now < record.not_before:
        return False
    if trigger is Trigger.LOOKUP and not record.failures:
        return True
    if trigger is Trigger.BAD_SIGNATURE:
        held_since = _NEVER if record.fetched_at is None else record.fetched_at
        return now >= max(held_since, record.bad_signature_at) + options.cooldown
    return permits(record, options, now) >= 1.0


def decide(record: FetchRecord, options: JWKSOptions, now: float, trigger: Trigger) -> Decision:
    """The decision of the table above."""
    state, free = freshness(record, options, now), may_attempt(record, options, now, trigger)
    if trigger is not Trigger.LOOKUP or state is Freshness.UNAVAILABLE:
        return Decision.REFRESH if free else Decision.REFUSE
    if state is Freshness.EXPIRED:  # an attempt is allowed: else the set would be STALE
        return Decision.REFRESH
    if state is Freshness.FRESH:
        return Decision.USE
    return Decision.USE_AND_REFRESH if free else Decision.USE


def next_attempt(record: FetchRecord, options: JWKSOptions) -> float:
    """The earliest moment at which a lookup leads to an attempt."""
    return max(record.refresh_at, _rate_limited_until(record, options)) if record.failures else record.refresh_at


def after_attempt(record: FetchRecord, options: JWKSOptions, now: float, trigger: Trigger) -> FetchRecord:
    """An attempt begins: it takes a permit, unless a bad signature caused it."""
    if trigger is Trigger.BAD_SIGNATURE:
        return replace(record, bad_signature_at=now)
    return replace(record, permits=max(0.0, permits(record, options, now) - 1.0), permits_at=now)


def after_failure(
    record: FetchRecord, options: JWKSOptions, now: float, jitter: float, trigger: Trigger
) -> FetchRecord:
    """An attempt failed: what is held stays, and the next attempt waits.

    An attempt because of a bad signature was not due before `refresh_at`: its failure says nothing then.
    """
    if trigger is Trigger.BAD_SIGNATURE and now < record.refresh_at:
        return record
    longest = min(options.max_backoff, options.cooldown * 2.0 ** min(record.failures, _MAX_DOUBLINGS))
    return replace(record, failures=record.failures + 1, failed_at=now, not_before=now + jitter * longest)


def after_success(
    record: FetchRecord, options: JWKSOptions, *, fetched_at: float, lifetime: float, changed: bool, jitter: float
) -> FetchRecord:
    """A usable set, requested at `fetched_at`, came in: it is accepted unless a newer one is held."""
    if record.fetched_at is not None and fetched_at < record.fetched_at:
        return record
    first = options.refresh_fraction
    share = first + jitter * (1.0 - first) / 2.0
    return replace(
        record,
        fetched_at=fetched_at,
        fresh_until=fetched_at + lifetime,
        refresh_at=fetched_at + share * lifetime,
        generation=record.generation + changed,
        failures=0,
        not_before=_NEVER,
        bad_signature_at=_NEVER,
    )


def clamp(said: float | None, options: JWKSOptions) -> float:
    """The issuer's lifetime, clamped to `min_age` and `max_age`; `max_age` if there is none. Infinity is kept."""
    if said is None:
        return options.max_age
    if said == math.inf:  # a static set: nothing to refresh
        return said
    return min(options.max_age, max(options.min_age, said))
