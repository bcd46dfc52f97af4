"""How hard the properties are tried: two profiles that repeat, and a long one that draws new examples each time.

Rules of this file: `quick` is what `make test` runs and `thorough` what `make check` runs; both try the same examples on
every machine, so that a failure in continuous integration is a failure everywhere. `thorough` tries half of
what a property asks for, `BEARWARD_PROPERTIES=long` fifty times as much, and no two long runs are the same. `unshrunk`
tries all of it, for whoever only asks whether a property fails: it stops at the first example that does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings

__all__ = ["PROFILE", "examples"]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How many examples, as a factor on what the property asks for, and whether they are the same each time."""

    factor: float
    repeats: bool = True
    shrinks: bool = True


PROFILES = {
    "quick": Profile(factor=0.1),
    "thorough": Profile(factor=0.5),
    "unshrunk": Profile(factor=1, shrinks=False),
    "long": Profile(factor=50, repeats=False),
}
PROFILE = PROFILES[os.environ.get("BEARWARD_PROPERTIES", "thorough")]
_FEWEST = 10
_PHASES = tuple(phase for phase in Phase if PROFILE.shrinks or phase not in (Phase.shrink, Phase.explain))


def examples(number: int) -> settings:
    """The decorator for a property: try `number` examples, as the profile multiplies them."""
    return settings(
        max_examples=max(_FEWEST, int(number * PROFILE.factor)),
        derandomize=PROFILE.repeats,
        database=None,
        phases=_PHASES,
        deadline=None,  # two noisy cores say nothing about speed
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
