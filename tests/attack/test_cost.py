"""No input up to 64 KiB costs more than a millisecond of CPU or a MiB of memory, whatever its shape."""

from __future__ import annotations

import pytest

from bearward.refusals import Refusal
from benchmarks.cost.__main__ import CPU, MEMORY
from benchmarks.cost.measure import cpu_seconds, judge, peak_octets
from benchmarks.cost.shapes import shapes

SHAPES = shapes()
FACTOR = 12
"""A machine may be slow and busy; a loop that is quadratic misses the bound by a hundred times and more."""
CODES = {refusal.code for refusal in Refusal}


@pytest.mark.parametrize("name", SHAPES)
def test_refusing_a_token_stays_within_its_bounds(name: str) -> None:
    """Time and memory stay within their bounds, and the answer is a refusal."""
    assert judge(SHAPES[name]) in CODES
    assert peak_octets(SHAPES[name]) < MEMORY
    assert cpu_seconds(SHAPES[name]) < CPU * FACTOR
