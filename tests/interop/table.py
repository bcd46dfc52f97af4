"""The table of `docs/evidence/interop.md`: what ran, against what, and what came out.

Rule of this file: nothing in it depends on the machine or on the hour, so that two runs that saw the same write the
same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.interop.sheet import Row, Sheet

__all__ = ["Outcome", "table"]

_HEAD = """<!-- Written by `make interop`; not by hand. -->
# Tokens and clients made by others

Each row is software that nobody here wrote, run on loopback against the two sample servers. Rows *by shape* are issuers
that cannot be run here: their documents, keys and tokens as their own documentation shows them, trusted as
[issuers.md](../issuers.md) says. A *case* is one token or call; a *verdict* is one transport's response to it. A verdict is
right if it is the expected one: accepted with exactly the token's claims, or refused with exactly this code, status and
challenge.

A run fails if a verdict is wrong, if a row breaks or has no verdict, or if a row, a transport, an algorithm or a case that
ran before does not run. `make sabotage` breaks bearward in six ways, and every row must notice.
"""


@dataclass
class Outcome:
    """What became of a row."""

    row: Row
    sheet: Sheet
    why_not: str = ""
    versions: str = ""

    @property
    def wrong(self) -> list[str]:
        """What was not right; a row that did not run has nothing."""
        return self.sheet.wrong


def table(outcomes: Sequence[Outcome]) -> str:
    """The page."""
    lines = [
        "| row | version | transports | algorithms | cases | verdicts | notes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += ["| " + " | ".join(_cells(one)) + " |" for one in outcomes]
    ran = [one for one in outcomes if not one.why_not]
    wrong = sum(len(one.wrong) for one in ran)
    right = sum(one.sheet.right for one in ran)
    cases = sum(len(one.sheet.cases) for one in ran)
    sums = f"{len(ran)} rows ran, {len(outcomes) - len(ran)} did not: {cases} cases, {right} verdicts right, {wrong} wrong."
    return f"{_HEAD}\n{sums}\n\n" + "\n".join(lines) + "\n"


def _cells(outcome: Outcome) -> list[str]:
    sheet = outcome.sheet
    if outcome.why_not:
        return [outcome.row.title, "", "", "", "", "**not run**", _cell(outcome.why_not)]
    verdicts = f"{sheet.right} right" + (f", **{len(sheet.wrong)} wrong**" if sheet.wrong else "")
    version = sheet.version or outcome.versions
    algorithms = ", ".join(sheet.algorithms)
    transports = ", ".join(sheet.transports)
    notes = " ".join(sheet.notes)
    return [
        _cell(part)
        for part in (outcome.row.title, version, transports, algorithms, str(len(sheet.cases)), verdicts, notes)
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
