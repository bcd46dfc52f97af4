"""The chaos run itself, short: a few faults against the live pair, as `make chaos` runs all of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.runner import Outcome, run_faults
from tests.chaos.traffic import Tally

PICKED = ["issuer down", "flood while the issuer is down", "half published", "cache killed", "cache poisoned"]


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_nothing_good_is_refused_and_nothing_bad_accepted() -> None:
    """Under each fault, and a withdrawn key at the end: the verdicts stay right, and the servers recover."""
    outcomes = asyncio.run(run_faults(PICKED, seconds=3, per_tick=1))
    assert [outcome.fault for outcome in outcomes if not outcome.passed] == []
    assert all(outcome.tally.requests > 0 for outcome in outcomes)


def test_a_wrong_verdict_fails_the_run() -> None:
    """One good call refused, one bad call accepted, or no recovery: each is enough."""
    good, bad = Tally(), Tally()
    good.good_refused["keys_unavailable"] += 1
    bad.bad_accepted["ok"] += 1
    for tally, recovered in ((good, 1.0), (bad, 1.0), (Tally(), None)):
        assert not Outcome("fault", tally, 0, 1.0, recovered).passed
    assert Outcome("fault", Tally(), 0, 1.0, 1.0).passed


def test_every_fault_has_a_name_and_a_function() -> None:
    """The table of faults covers what the documentation lists."""
    assert len(FAULTS) >= 20
    assert all(callable(fault) for fault in FAULTS.values())
