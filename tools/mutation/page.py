"""`docs/evidence/mutation.md`: written from what is known about every file, and from the reasons why mutants survive.

Rule of this file: what a run found out about a file stands in `known.json` until the file is changed anew, so that a run of
one file on another machine does not take back what is said of the others.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.mutation.changes import changes_of
from tools.mutation.files import PURE, STATEFUL, TOP
from tools.mutation.mutant import KILLED, TIMED_OUT, Mutant, is_left, kept, reason

__all__ = ["unexplained", "write"]

PAGE = TOP / "docs" / "evidence" / "mutation.md"
KNOWN = Path(__file__).with_name("known.json")
UNEXPLAINED = ""


@dataclass(frozen=True)
class Result:
    """What became of the mutants of one file: `possible` ones there are, `left` counts those that survived by the reason."""

    possible: int
    killed: int
    timed_out: int
    left: dict[str, int]

    @property
    def tried(self) -> int:
        """How many were made."""
        return self.killed + self.timed_out + self.survived

    @property
    def survived(self) -> int:
        """How many no test noticed."""
        return sum(self.left.values())


def unexplained(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Who survived without an explanation."""
    return [mutant for mutant in mutants if is_left(mutant) and reason(mutant) is None]


def write() -> None:
    """The page, of all that is known: who was changed and what was noticed, and who was not changed."""
    files = (*PURE, *STATEFUL)
    known = {
        file: Result(**row) for file, row in json.loads(KNOWN.read_text(encoding="utf-8")).items() if file in files
    }
    found = {file: kept([file]) for file in files}
    known |= {file: _result(file, mutants) for file, mutants in found.items() if mutants}
    said = {file: asdict(result) for file, result in sorted(known.items())}
    KNOWN.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    left = unexplained([mutant for mutants in found.values() for mutant in mutants])
    PAGE.write_text("\n".join(_page(known, left)) + "\n", encoding="utf-8")


def _result(file: str, mutants: Sequence[Mutant]) -> Result:
    left = Counter(reason(mutant) or UNEXPLAINED for mutant in mutants if is_left(mutant))
    outcomes = Counter(mutant.outcome for mutant in mutants)
    possible = len(changes_of((TOP / file).read_text("utf-8"))) if file in STATEFUL else len(mutants)
    return Result(possible, outcomes[KILLED], outcomes[TIMED_OUT], dict(left))


def _page(known: dict[str, Result], left: Sequence[Mutant]) -> list[str]:
    page = [HEAD, *_table({file: known[file] for file in sorted(PURE) if file in known}), ""]
    page += [STATEFUL_HEAD, *_table({file: known[file] for file in sorted(STATEFUL) if file in known}), "", WHY]
    explained: Counter[str] = sum((Counter(result.left) for result in known.values()), Counter())
    page += ["| mutants | why no test needs to notice |", "| --- | --- |"]
    page += [f"| {count} | {why} |" for why, count in explained.most_common() if why != UNEXPLAINED]
    rows = [f"- `{m.file}` {m.function}: `{m.before}` became `{m.after}`" for m in left]
    page += ["", "## Neither killed nor explained yet", "", *rows] if rows else []
    if waiting := sorted({*PURE, *STATEFUL} - set(known)):
        page += ["", WAITING, *(f"- `{file}`" for file in waiting)]
    return page


def _table(results: dict[str, Result]) -> list[str]:
    lines = ["| file | mutants | killed | timed out | survived | left |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for file, one in results.items():
        sampled = "" if one.tried >= one.possible else f" (a sample of {one.possible})"
        lines.append(_row(f"{file}{sampled}", [one]))
    return [*lines, _row("all", results.values())]


def _row(name: str, results: Collection[Result]) -> str:
    tried, survived = sum(one.tried for one in results), sum(one.survived for one in results)
    killed, timed_out = sum(one.killed for one in results), sum(one.timed_out for one in results)
    return f"| {name} | {tried} | {killed} | {timed_out} | {survived} | {100 * survived / max(tried, 1):.1f} % |"


HEAD = """# Mutation testing

Written by `make mutation` (`tools/mutation/`). Killed means that a test noticed the change; what is left is the share of
those that no test noticed.

## Pure files, and the verifier with its cache

mutmut 3 changes every function in every small way, all mutants of each file that is listed, and the tests about the file
are to notice (`tools/mutation/files.py`). Functions under a decorator, and functions within functions, mutmut leaves alone.
The thorough tier, the property tests, the attack table and the fuzzer are left out: they would notice more, and each mutant
would take minutes.
"""
STATEFUL_HEAD = """## Stateful files

Changed one mutant at a time in a forked process (`tools/mutation/changes.py` lists the ways), and judged by the tests that
run the changed lines, with real servers and stores: those about the file first (`tools/mutation/files.py`), then others of
the core, the adapters and what is observed, for up to eight seconds. Who survives that is judged by the slower ones, or on
a copy of the tree; a survivor that could not be judged again stands as one.
"""
WHY = """## Who survived, and why

Each survivor is matched with an explanation in `tools/mutation/reasons.toml`; one without fails the command.
"""
WAITING = """## Not changed since they were last written

Nothing is said of these yet, nor of the mutants that a sample left out.
"""
