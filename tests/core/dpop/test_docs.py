"""What docs/dpop.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dpop_cases import DPOP_CASES

TOP = Path(__file__).resolve().parents[3]
PAGE = (TOP / "docs" / "dpop.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_each_example_runs(number: int) -> None:
    """As it stands on the page."""
    exec(BLOCKS[number], {})


def test_page_has_examples() -> None:
    """The page was found, and read."""
    assert len(BLOCKS) >= 5


def test_each_fault_has_a_test_that_exists() -> None:
    """What stands on the page as seen elsewhere is a test here: by its name, or as a row with the code that is told."""
    rows = {case.name: case.expected for case in DPOP_CASES}
    table = PAGE.partition("## Faults seen elsewhere")[2].splitlines()
    faults = [line.strip("| ").split(" | ") for line in table if line.startswith("| ")][2:]
    assert len(faults) >= 20
    for fault, here, shown in faults:
        named, tests = re.findall(r"row `([^`]+)`", shown), re.findall(r"`(tests/[^`:]+)::(\w+)`", shown)
        assert named or tests, fault
        for name in named:
            assert name in rows, name
            assert not here.startswith("`dpop") or f"`{rows[name]}`" in here, (fault, rows[name])
        for path, test in tests:
            assert re.search(rf"^(def )?{test}\b", (TOP / path).read_text(), re.MULTILINE), test
