"""`docs/evidence/tasks.md`: each task is done on the page that its row names, by what the row names, and run by its tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
FOLDER = TOP / "docs" / "evidence"
ROWS = [
    re.split(r" \| ", line.strip("| "))
    for line in (FOLDER / "tasks.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d", line)
]
CASES = [pytest.param(row, id=row[0]) for row in ROWS]


def test_there_are_47_tasks() -> None:
    """In order, none left out."""
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 48)]
    assert {len(row) for row in ROWS} == {6}


@pytest.mark.parametrize("row", CASES)
def test_page_says_what_the_row_names(row: list[str]) -> None:
    """Every name in the row's code stands on one of its pages, below the heading that it links to, if it does."""
    links = re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", row[2])
    assert links
    said = "\n".join(_section(page, anchor) for page, anchor in links)
    names = {name for code in re.findall(r"`([^`]+)`", row[2]) for name in re.findall(r"[A-Za-z_][\w.-]+", code)}
    assert {name for name in names if name not in said} == set()


@pytest.mark.parametrize("row", CASES)
def test_row_names_functions_that_test(row: list[str]) -> None:
    """Each is a function; a file alone would say nothing of what is run."""
    tests = re.findall(r"`([^`]+)`", row[3])
    assert tests
    for named in tests:
        path, _, name = named.partition("::")
        tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, named


def _section(page: str, anchor: str) -> str:
    """The text of the page, from the heading of the anchor to the next of its level or above."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    if not anchor:
        return text
    headings = list(re.finditer(r"^(#+) (.+)$", text, re.MULTILINE))
    (start,) = (at for at in headings if re.sub(r"[^\w\- ]", "", at[2].lower()).replace(" ", "-") == anchor)
    ends = (at.start() for at in headings if at.start() > start.start() and len(at[1]) <= len(start[1]))
    return text[start.start() : next(ends, len(text))]
