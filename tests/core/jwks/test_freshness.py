"""The freshness machine: its table line by line, and a naive model that it must agree with after any history."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bearward.jwks import freshness as machine
from bearward.jwks.freshness import Decision, FetchRecord, Freshness, Trigger, next_attempt, usable_until
from bearward.jwks.options import JWKSOptions

OPTIONS = JWKSOptions(max_age=600, stale_if_error=3600, cooldown=5, burst=2, max_backoff=30)
HELD = machine.after_success(
    FetchRecord(), OPTIONS, fetched_at=1000, lifetime=600, changed=True, jitter=0.0
)  # REFRESH_DUE from 1300
FAILED_AHEAD = machine.after_failure(HELD, OPTIONS, 1400, 0.0, Trigger.LOOKUP)
FAILED_EARLY = machine.after_failure(HELD, OPTIONS, 1100, 0.0, Trigger.LOOKUP)
LIMITED_EARLY = replace(FAILED_EARLY, not_before=1650)

TABLE = [
    ("nothing was ever held", FetchRecord(), 0, Freshness.UNAVAILABLE, Decision.REFRESH, Decision.REFRESH),
    ("fresh", HELD, 1299.9, Freshness.FRESH, Decision.USE, Decision.REFRESH),
    ("refresh ahead is due", HELD, 1300, Freshness.REFRESH_DUE, Decision.USE_AND_REFRESH, Decision.REFRESH),
    (
        "to the last moment of the lifetime",
        HELD,
        1599.9,
        Freshness.REFRESH_DUE,
        Decision.USE_AND_REFRESH,
        Decision.REFRESH,
    ),
    ("past it, and nobody asked the issuer", HELD, 1600, Freshness.EXPIRED, Decision.REFRESH, Decision.REFRESH),
    ("an early failure excuses no old set", FAILED_EARLY, 1600, Freshness.EXPIRED, Decision.REFRESH, Decision.REFRESH),
    ("an early failure, and the rate limit holds", LIMITED_EARLY, 1600, Freshness.STALE, Decision.USE, Decision.REFUSE),
    ("an early failure, and it is off", LIMITED_EARLY, 1700, Freshness.EXPIRED, Decision.REFRESH, Decision.REFRESH),
    (
        "the refresh that was due failed",
        FAILED_AHEAD,
        1600,
        Freshness.STALE,
        Decision.USE_AND_REFRESH,
        Decision.REFRESH,
    ),
    ("stale to the last moment", FAILED_AHEAD, 5199.9, Freshness.STALE, Decision.USE_AND_REFRESH, Decision.REFRESH),
    ("stale too long", FAILED_AHEAD, 5200, Freshness.UNAVAILABLE, Decision.REFRESH, Decision.REFRESH),
]


@pytest.mark.parametrize(("why", "record", "now", "state", "lookup", "miss"), TABLE, ids=[case[0] for case in TABLE])
def test_freshness_table(
    why: str, record: FetchRecord, now: float, state: Freshness, lookup: Decision, miss: Decision
) -> None:
    """Each line of the table in the module's docstring, with the rate limit off unless it says otherwise."""
    assert machine.freshness(record, OPTIONS, now) is state
    assert machine.decide(record, OPTIONS, now, Trigger.LOOKUP) is lookup
    assert machine.decide(record, OPTIONS, now, Trigger.UNKNOWN_KID) is miss
    assert machine.decide(record, OPTIONS, now, Trigger.BAD_SIGNATURE) is (
        miss if now >= record.not_before else Decision.REFUSE
    )


RATE_LIMITED = [
    ("fresh", HELD, 1100, Decision.USE, Decision.REFUSE),
    ("a healthy issuer's refresh needs no token", HELD, 1300, Decision.USE_AND_REFRESH, Decision.REFUSE),
    ("ahead, failing", FAILED_AHEAD, 1400, Decision.USE, Decision.REFUSE),
    ("stale", FAILED_AHEAD, 2000, Decision.USE, Decision.REFUSE),
    (
        "unavailable",
        machine.after_failure(FetchRecord(), OPTIONS, 0, 0.0, Trigger.LOOKUP),
        1,
        Decision.REFUSE,
        Decision.REFUSE,
    ),
]


@pytest.mark.parametrize(
    ("why", "record", "now", "lookup", "miss"), RATE_LIMITED, ids=[case[0] for case in RATE_LIMITED]
)
def test_rate_limited_requests_do_not_wait(
    why: str, record: FetchRecord, now: float, lookup: Decision, miss: Decision
) -> None:
    """With an empty bucket nothing waits: what may be used is used, the rest is refused at once."""
    empty = replace(record, permits=0.0, permits_at=now)
    assert machine.decide(empty, OPTIONS, now, Trigger.LOOKUP) is lookup
    assert machine.decide(empty, OPTIONS, now, Trigger.UNKNOWN_KID) is miss


def test_flood_gets_a_burst_of_two_and_then_one_attempt_per_cooldown() -> None:
    """Thirty seconds of misses cost at most eight attempts, counted from the attempts and not from the successes."""
    for succeeds in (True, False):
        attempts = _flooded(Trigger.UNKNOWN_KID, succeeds=succeeds)[0]
        assert len(attempts) == 8
        assert attempts[1] - attempts[0] < 0.01  # the burst
        assert all(later - earlier >= 4.99 for earlier, later in itertools.pairwise(attempts[1:]))


def test_flood_of_bad_signatures_gets_one_attempt_per_cooldown_and_takes_no_permit() -> None:
    """Thirty seconds of them cost six attempts; misses and refreshes are as free afterwards as before, or in between."""
    for succeeds in (True, False):
        attempts, record = _flooded(Trigger.BAD_SIGNATURE, succeeds=succeeds)
        assert attempts == pytest.approx([1005 + 5 * number for number in range(6)], abs=0.01)
        assert machine.permits(record, OPTIONS, 1031) == OPTIONS.burst
        assert record.failures == 0
        assert machine.decide(record, OPTIONS, 1031, Trigger.UNKNOWN_KID) is Decision.REFRESH


def _flooded(trigger: Trigger, *, succeeds: bool) -> tuple[list[float], FetchRecord]:
    """When attempts begin in thirty seconds with a token each millisecond, and the record after that."""
    record, attempts = HELD, []
    for step in range(30 * 1000 + 1):
        now = 1001 + step / 1000
        if machine.decide(record, OPTIONS, now, trigger) is Decision.REFRESH:
            attempts.append(now)
            record = machine.after_attempt(record, OPTIONS, now, trigger)
            record = (
                machine.after_success(record, OPTIONS, fetched_at=now, lifetime=600, changed=False, jitter=0.5)
                if succeeds
                else machine.after_failure(record, OPTIONS, now, 0.0, trigger)
            )
    return attempts, record


def test_failure_after_a_bad_signature_counts_from_when_a_refresh_was_due() -> None:
    """Then it is the failure of that refresh too, and the old set may be used while the issuer fails."""
    ignored = machine.after_failure(HELD, OPTIONS, 1299.9, 1.0, Trigger.BAD_SIGNATURE)
    assert ignored == HELD
    counted = machine.after_failure(HELD, OPTIONS, 1300, 1.0, Trigger.BAD_SIGNATURE)
    assert counted == machine.after_failure(HELD, OPTIONS, 1300, 1.0, Trigger.LOOKUP)
    assert machine.decide(counted, OPTIONS, 1304, Trigger.BAD_SIGNATURE) is Decision.REFUSE  # the back-off is for all


def test_back_off_doubles_up_to_its_bound() -> None:
    """With the whole jitter, each failure doubles the wait, up to `max_backoff`; no number of failures overflows."""
    record, waits = FetchRecord(), []
    for _ in range(2000):
        record = machine.after_failure(record, OPTIONS, 0.0, 1.0, Trigger.LOOKUP)
        waits.append(record.not_before)
    assert waits[:5] == [5, 10, 20, 30, 30]
    assert waits[-1] == 30


def test_jitter_spreads_the_refresh_between_half_and_three_quarters_of_the_lifetime() -> None:
    """A fleet that fetched together does not come back together, and always well before the end."""
    moments = [
        machine.after_success(FetchRecord(), OPTIONS, fetched_at=0, lifetime=600, changed=True, jitter=share).refresh_at
        for share in (0.0, 0.5, 1.0)
    ]
    assert moments == [300, 375, 450]


def test_static_set_is_never_due() -> None:
    """An infinite lifetime means: use, forever."""
    record = machine.after_success(FetchRecord(), OPTIONS, fetched_at=0, lifetime=math.inf, changed=True, jitter=0.3)
    assert machine.decide(record, OPTIONS, 1e12, Trigger.LOOKUP) is Decision.USE
    assert machine.next_attempt(record, OPTIONS) == math.inf


# A lifetime of a few cooldowns: so that rate limit, back-off and the end of the lifetime meet in all ways.
SHORT = JWKSOptions(max_age=20, min_age=0, stale_if_error=60, cooldown=5, burst=2, max_backoff=30)


@dataclass
class Naive:
    """The rules written down plainly: keep the whole history, and work everything out from it each time."""

    attempts: list[float] = field(default_factory=list)
    history: list[tuple[str, float, float, float]] = field(default_factory=list)  # what, when, fetched_at, jitter
    looked_again: list[float] = field(default_factory=list)  # attempts because of bad signatures, since a set was taken

    def bucket(self, now: float) -> float:
        level, at = float(SHORT.burst), 0.0
        for moment in self.attempts:
            level = max(0.0, min(float(SHORT.burst), level + (moment - at) / SHORT.cooldown) - 1)
            at = moment
        return min(float(SHORT.burst), level + (now - at) / SHORT.cooldown)

    def held(self) -> tuple[float, float] | None:
        """When the newest set was asked for, and its jitter."""
        best: tuple[float, float] | None = None
        for what, _, fetched_at, jitter in self.history:
            if what == "success" and (best is None or fetched_at >= best[0]):
                best = (fetched_at, jitter)
        return best

    def failures(self) -> list[tuple[float, float]]:
        """The failures since the last set that was taken: when, and the jitter."""
        since: list[tuple[float, float]] = []
        newest = -math.inf
        for what, when, fetched_at, jitter in self.history:
            if what == "failure":
                since.append((when, jitter))
            elif fetched_at >= newest:
                newest, since = fetched_at, []
        return since

    def state(self, now: float) -> Freshness:
        held, failures = self.held(), self.failures()
        if held is None or now - held[0] >= SHORT.max_age + SHORT.stale_if_error:
            return Freshness.UNAVAILABLE
        due = held[0] + SHORT.max_age * (0.5 + held[1] / 4)
        if now - held[0] < SHORT.max_age:
            return Freshness.FRESH if now < due else Freshness.REFRESH_DUE
        fails = failures and (failures[-1][0] >= due or not self.free(now, Trigger.LOOKUP))
        return Freshness.STALE if fails else Freshness.EXPIRED

    def free(self, now: float, why: Trigger) -> bool:
        failures = self.failures()
        if failures and now < failures[-1][0] + failures[-1][1] * min(30, 5 * 2 ** (len(failures) - 1)):
            return False
        if why is Trigger.BAD_SIGNATURE:
            held = self.held()
            return all(now - moment >= SHORT.cooldown for moment in (*self.looked_again, *([held[0]] if held else [])))
        return (why is Trigger.LOOKUP and not failures) or self.bucket(now) >= 1

    def answer(self, now: float, why: Trigger) -> Decision:
        state, free = self.state(now), self.free(now, why)
        if why is not Trigger.LOOKUP or state is Freshness.UNAVAILABLE:
            return Decision.REFRESH if free else Decision.REFUSE
        if state is Freshness.EXPIRED:
            return Decision.REFRESH
        if state is Freshness.FRESH:
            return Decision.USE
        return Decision.USE_AND_REFRESH if free else Decision.USE


QUARTERS = st.integers(0, 200).map(lambda quarters: quarters / 4)  # exact in binary: no rounding to argue about
JITTER = st.sampled_from([0.0, 0.25, 0.5, 1.0])


class AgreesWithTheNaiveModel(RuleBasedStateMachine):
    """Any history of attempts, successes, late answers and failures leaves machine and model in agreement."""

    @initialize()
    def begin(self) -> None:
        self.now, self.record, self.naive = 100.0, FetchRecord(), Naive()
        self.generations = 0

    @rule(seconds=st.one_of(QUARTERS, st.sampled_from([0.0, 0.25, 5.0])))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(why=st.sampled_from(Trigger))
    def an_attempt_begins_if_it_may(self, why: Trigger) -> None:
        if machine.decide(self.record, SHORT, self.now, why) in (Decision.REFRESH, Decision.USE_AND_REFRESH):
            self.record = machine.after_attempt(self.record, SHORT, self.now, why)
            (self.naive.looked_again if why is Trigger.BAD_SIGNATURE else self.naive.attempts).append(self.now)

    @rule(age=st.sampled_from([0.0, 1.0, 15.0, 100.0]), jitter=JITTER, changed=st.booleans())
    def a_set_comes_in(self, age: float, jitter: float, changed: bool) -> None:
        before, fetched_at = self.record, self.now - age
        self.record = machine.after_success(
            self.record, SHORT, fetched_at=fetched_at, lifetime=SHORT.max_age, changed=changed, jitter=jitter
        )
        self.naive.history.append(("success", self.now, fetched_at, jitter))
        if before.fetched_at is not None and fetched_at < before.fetched_at:
            assert self.record is before, "an older answer never overwrites a newer one"
        else:
            self.naive.looked_again.clear()

    @rule(jitter=JITTER, why=st.sampled_from(Trigger))
    def an_attempt_fails(self, jitter: float, why: Trigger) -> None:
        held = (self.record.fetched_at, self.record.generation)
        counts = why is not Trigger.BAD_SIGNATURE or self.now >= self.record.refresh_at
        self.record = machine.after_failure(self.record, SHORT, self.now, jitter, why)
        if counts:
            self.naive.history.append(("failure", self.now, 0.0, jitter))
        assert held == (self.record.fetched_at, self.record.generation), "a failure takes nothing away"

    @invariant()
    def they_agree(self) -> None:
        assert machine.freshness(self.record, SHORT, self.now) is self.naive.state(self.now)
        for why in Trigger:
            assert machine.decide(self.record, SHORT, self.now, why) is self.naive.answer(self.now, why)

    @invariant()
    def what_is_usable_is_what_the_state_says(self) -> None:
        usable = self.now < machine.usable_until(self.record, SHORT)
        state = machine.freshness(self.record, SHORT, self.now)
        assert usable is (state in (Freshness.FRESH, Freshness.REFRESH_DUE, Freshness.STALE))

    @invariant()
    def an_attempt_is_planned_exactly_where_one_will_be_made(self) -> None:
        attempts = (Decision.USE_AND_REFRESH, Decision.REFRESH)
        moment = machine.next_attempt(self.record, SHORT)
        if moment > self.now:
            assert machine.decide(self.record, SHORT, moment + 1e-6, Trigger.LOOKUP) in attempts
            assert machine.decide(self.record, SHORT, max(self.now, moment - 0.01), Trigger.LOOKUP) not in attempts

    @invariant()
    def generations_only_grow(self) -> None:
        assert self.record.generation >= self.generations
        self.generations = self.record.generation


TestAgreesWithTheNaiveModel = AgreesWithTheNaiveModel.TestCase


EDGES = JWKSOptions(max_age=100, stale_if_error=300, cooldown=10)


@pytest.mark.parametrize(("failed_at", "until"), [(49.0, 100.0), (50.0, 400.0), (51.0, 400.0)])
def test_stale_set_is_used_from_the_moment_of_a_due_failure(failed_at: float, until: float) -> None:
    """At that very moment too."""
    record = FetchRecord(
        fetched_at=0.0, fresh_until=100.0, refresh_at=50.0, failures=1, failed_at=failed_at, not_before=60.0
    )
    assert usable_until(record, EDGES) == until


def test_rate_limit_delays_refreshes_only_after_a_failure() -> None:
    """Before one, a lookup leads to an attempt as soon as a refresh is due."""
    limited = FetchRecord(fetched_at=0.0, fresh_until=100.0, refresh_at=50.0, permits=0.0, permits_at=45.0)
    assert next_attempt(limited, EDGES) == 50.0
    assert next_attempt(replace(limited, failures=1), EDGES) == 55.0
    assert next_attempt(replace(limited, failures=1, not_before=70.0), EDGES) == 70.0
    assert next_attempt(replace(limited, permits=math.inf), EDGES) == 50.0
