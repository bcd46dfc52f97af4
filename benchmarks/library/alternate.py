"""Alternated timing: every subject a little in every round, in another order each time, so that noise hits all alike.

Rule of this file: a figure is a ratio to the reference of the same round. Of a round the best of a few short bursts
counts (noise only adds); of the rounds the median and the quartiles are told.
"""

from __future__ import annotations

import gc
import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

__all__ = ["Batch", "Figure", "measure"]

_BURSTS = 3
_TARGET_NS = 2_000_000


@dataclass(frozen=True)
class Figure:
    """What one subject took: microseconds of each round, and ratios to the reference."""

    name: str
    microseconds: list[float] = field(repr=False)
    ratios: list[float] = field(repr=False)

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    def summary(self) -> dict[str, Any]:
        """For the results file."""
        low, middle, high = statistics.quantiles(self.ratios, n=4)
        return {
            "microseconds": round(min(self.microseconds), 3),
            "ratio": round(middle, 4),
            "quartiles": [round(low, 4), round(high, 4)],
            "rounds": len(self.ratios),
        }


@dataclass(frozen=True)
class Batch:
    """A subject that does its work `size` times at a call: what can only be looped over from within, such as `await`."""

    run: Callable[[], object]
    size: int

    def __call__(self) -> object:
        """All of it."""
        return self.run()


@dataclass
class _Timer:
    subject: Callable[[], object]
    calls: int = 1

    @property
    def size(self) -> int:
        return self.subject.size if isinstance(self.subject, Batch) else 1

    def calibrate(self) -> None:
        while self.once() * self.calls * self.size < _TARGET_NS / 4 and self.calls < 1_000_000:
            self.calls *= 2

    def once(self) -> float:
        """Nanoseconds for each time that the work is done, over one burst."""
        subject = self.subject.run if isinstance(self.subject, Batch) else self.subject
        began = perf_counter_ns()
        for _ in range(self.calls):
            subject()
        return (perf_counter_ns() - began) / (self.calls * self.size)

    def best(self) -> float:
        return min(self.once() for _ in range(_BURSTS))


def measure(subjects: Mapping[str, Callable[[], object]], *, reference: str, rounds: int) -> list[Figure]:
    """Time all `subjects`, alternated over `rounds`; the ratios are to `reference`."""
    timers = {name: _Timer(subject) for name, subject in subjects.items()}
    for timer in timers.values():
        timer.calibrate()
    taken: dict[str, list[float]] = {name: [] for name in timers}
    order, shuffle = list(timers), random.Random(20260101)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            shuffle.shuffle(order)
            for name in order:
                taken[name].append(timers[name].best() / 1000.0)
    finally:
        gc.enable()
    return [
        Figure(name, values, [value / base for value, base in zip(values, taken[reference], strict=True)])
        for name, values in taken.items()
    ]
