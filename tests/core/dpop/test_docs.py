"""What docs/dpop.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "dpop.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_each_example_runs(number: int) -> None:
    """As it stands on the page."""
    exec(BLOCKS[number], {})


def test_page_has_examples() -> None:
    """The page was found, and read."""
    assert len(BLOCKS) >= 5
