"""The chaos run itself, short: a few faults against the live pair, as `make chaos` runs all of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.adversary import Flooded, run_floods
from tests.chaos.faults import FAULTS
from tests.chaos.forgeries import SORTS, Target
from tests.chaos.runner import Outcome, run_faults
from tests.chaos.traffic import Tally

PICKED = [
    "issuer down",
    "flood while the issuer is down",
    "half published",
    "cache killed",
    "cache poisoned",
    "authority rotated",
    "settings swapped",
]


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_nothing_good_is_refused_and_nothing_bad_accepted() -> None:
    """Under each fault, and a withdrawn key at the end: the verdicts stay right, and the servers recover."""
    outcomes = asyncio.run(run_faults(PICKED, seconds=3, per_tick=1))
    assert [outcome.fault for outcome in outcomes if not outcome.passed] == []
    assert all(outcome.tally.requests > 0 for outcome in outcomes)


def test_wrong_verdict_fails_the_run() -> None:
    """One good call refused, one bad call accepted, or no recovery: each is enough."""
    good, bad = Tally(), Tally()
    good.good_refused["keys_unavailable"] += 1
    bad.bad_accepted["ok"] += 1
    for tally, recovered in ((good, 1.0), (bad, 1.0), (Tally(), None)):
        assert not Outcome("fault", tally, 0, 1.0, recovered).passed
    assert Outcome("fault", Tally(), 0, 1.0, 1.0).passed


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("sort", SORTS)
def test_flood_of_forged_tokens_does_not_affect_good_callers(sort: str) -> None:
    """On three transports: nothing good refused, nothing forged accepted, and requests, logs and memory stay bounded."""
    (flooded,) = asyncio.run(run_floods([sort], number=450, rate=200))
    assert flooded.faults == []
    assert flooded.sent == 450
    assert flooded.good > 0


def test_flood_fails_if_any_bound_is_exceeded() -> None:
    """One good call refused, one forged token accepted, or one bound passed: each is named."""
    assert Flooded("a", seconds=10).faults == []
    refused = Flooded("a", seconds=10)
    refused.good_refused["401"] += 1
    beyond = [Flooded("a", accepted=1), Flooded("a", fetches=10_000), Flooded("a", lines=10_000)]
    beyond += [Flooded("a", grown=1 << 30), Flooded("a", new_key_after=None), refused]
    assert [len(flooded.faults) for flooded in beyond] == [1] * 6


@pytest.mark.parametrize("sort", SORTS)
def test_forged_tokens_are_distinct(sort: str) -> None:
    """What is remembered of one says nothing about the next; each has three segments."""
    target = Target(issuer="https://login.example", tenants="https://login.example/tenants", expensive_kid="expensive")
    tokens = {SORTS[sort](target) for _ in range(50)}
    assert len(tokens) == 50
    assert {token.count(".") for token in tokens} == {2}


def test_every_fault_has_a_name_and_a_function() -> None:
    """The table of faults covers what the documentation lists."""
    assert len(FAULTS) >= 20
    assert all(callable(fault) for fault in FAULTS.values())
