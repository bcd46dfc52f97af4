"""How hard the properties are tried: a short, repeatable run by default, a long, random one where it is asked for.

Rule of this file: `BEARWARD_PROPERTIES=long` multiplies the examples by fifty and draws new ones each time; without
it the same examples run on every machine, so that a failure in continuous integration is a failure everywhere.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["LONG", "examples"]

LONG = os.environ.get("BEARWARD_PROPERTIES") == "long"


def examples(number: int) -> settings:
    """The decorator for a property: try `number` examples, or fifty times as many in the long run."""
    return settings(
        max_examples=number * 50 if LONG else number,
        derandomize=not LONG,
        database=None,
        deadline=None,  # two noisy cores say nothing about speed
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
