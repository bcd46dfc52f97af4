"""The score: the table against a target, and what went wrong, by class.

Rule of this file: a verdict is right or wrong by the table alone. A false accept, a false reject, another code, an
error, a crash, a slow answer and a request that a token caused are distinguished.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.attack.case import ACCEPTED, CLASSES, Answer, Case
from tests.attack.fixtures import Fixtures
from tests.attack.targets import Target

__all__ = ["SLOW", "Score", "fault_of", "run"]

SLOW = 10.0
"""Seconds, wall clock, on a machine that may be busy: an answer that takes longer is slow."""
_COOLDOWN, _BURST = 5.0, 2
"""The rate limit of the key store by default: attempts to fetch again for a `kid` that is not held."""


@dataclass(slots=True)
class Score:
    """What one target made of a table."""

    target: str
    total: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0
    fetches: int = 0
    """Fetches of the main issuer's key set while the table ran: tokens with an unknown `kid` may cause some."""
    fetches_allowed: int = 0
    lured: int = 0
    """Requests to where only a token pointed."""

    def add(self, case: Case, answer: Answer) -> None:
        """Count one answer."""
        self.total[case.kind] += 1
        self.slowest = max(self.slowest, (answer.seconds, case.name))
        expected = case.right_verdicts(self.target)
        fault = fault_of(expected, answer)
        if fault is None:
            self.right[case.kind] += 1
        else:
            self.faults[fault] += 1
            self.wrong.append(f"{fault}: {case.kind}: {case.name}: expected {expected[0]}, got {answer.verdict}")

    @property
    def passed(self) -> bool:
        """Whether nothing at all went wrong."""
        return not self.wrong and not self.lured and self.fetches <= self.fetches_allowed

    def lines(self) -> list[str]:
        """The score by class, then the sums."""
        rows = [f"  {kind:22}{self.right[kind]:5} of {self.total[kind]:4}" for kind in CLASSES if self.total[kind]]
        caused = f"{self.lured} to where they pointed, {self.fetches} to the issuer's keys"
        sums = (
            f"{self.target}: {self.right.total()} of {self.total.total()} right in {self.seconds:.1f} s",
            *rows,
            "  " + ", ".join(f"{name} {self.faults[name]}" for name in FAULTS),
            f"  requests that tokens caused: {caused} (the rate limit allows {self.fetches_allowed})",
            f"  slowest answer: {self.slowest[0] * 1000:.0f} ms, {self.slowest[1]}",
        )
        return [*sums, *(f"  WRONG {name}" for name in self.wrong)]


FAULTS = ("false accepts", "false rejects", "wrong codes", "errors", "crashes", "slow answers")


def fault_of(expected: Sequence[str], answer: Answer) -> str | None:
    """What is wrong with an answer, if anything; `expected` are the verdicts that are right."""
    if answer.verdict == "crash":
        return "crashes"
    if answer.verdict.startswith("error"):
        return "errors"
    if answer.verdict in expected:
        return "slow answers" if answer.seconds > SLOW else None
    if answer.verdict == ACCEPTED:
        return "false accepts"
    return "false rejects" if ACCEPTED in expected else "wrong codes"


def run(fixtures: Fixtures, target: Target, cases: Sequence[Case]) -> Score:
    """Put every case to a target; a target that ended is a crash, and the end of the run."""
    score = Score(target.name)
    begun, fetched, lured = time.monotonic(), fixtures.fetches(), fixtures.lured()
    for case in cases:
        answer = target.judge(case.values)
        if not target.alive():
            score.add(case, Answer("crash", answer.seconds))
            break
        score.add(case, answer)
    score.seconds = time.monotonic() - begun
    score.fetches = fixtures.fetches() - fetched
    score.fetches_allowed = 1 + _BURST + math.ceil(score.seconds / _COOLDOWN)
    score.lured = fixtures.lured() - lured
    return score
