"""The promises of SECURITY.md as data: what protects each, how to take that away, and the test that must then fail.

Rules of this file: one table in `registry.toml`, read and checked here, run by `__main__.py`. A promise is
`row`, `file`, `old`, `new`, `test`: in `file` the text `old`, which stands there once, becomes `new`, and `test` fails.
`[[not_tried]]` is a row of SECURITY.md whose protection cannot be taken away by a small change, and why. `by_hand.toml` has
changes that no row is about, in the same form: `row` then says what they take away.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BY_HAND", "NOT_TRIED", "PROMISES", "TOP", "Promise", "rows_that_name_a_test"]

TOP = Path(__file__).resolve().parents[2]
_TABLES = tomllib.loads((Path(__file__).with_name("registry.toml")).read_text(encoding="utf-8"))
_A_ROW = r"\d+\. |\| |\* "
_A_TEST = re.compile(r"`tests/[\w/]+|attack table, class")


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One change that takes a protection away."""

    row: str
    """How the row or the numbered guarantee of SECURITY.md begins."""
    file: str
    old: str
    new: str
    test: str
    """One test, or files of tests."""

    @property
    def name(self) -> str:
        """For people: the row, and the line that protects it."""
        return f"{self.row.strip(' |`')}: {Path(self.file).name}: {self.old.strip().splitlines()[0]}"

    def broken(self, text: str) -> str:
        """The file without the protection."""
        return text.replace(self.old, self.new)


PROMISES = [Promise(**table) for table in _TABLES["promise"]]
BY_HAND = [
    Promise(**table)
    for table in tomllib.loads(Path(__file__).with_name("by_hand.toml").read_text(encoding="utf-8"))["change"]
]
NOT_TRIED: dict[str, str] = {table["row"]: table["why"] for table in _TABLES["not_tried"]}


def rows_that_name_a_test(page: str) -> Iterator[str]:
    """Each guarantee, row of a table or bullet of SECURITY.md that names a test or a class of the attack table."""
    for block in re.split(rf"\n(?={_A_ROW})|\n\n", page):
        begins = re.match(_A_ROW, block)
        if begins and _A_TEST.search(block):
            yield block[begins.end() :].lstrip("*`")
