"""`docs/evidence/mutation.md`: written from what is known about every file, and from the reasons why mutants survive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.mutation.changes import changes_of
from tools.mutation.files import PURE, STATEFUL, TOP
from tools.mutation.mutant import SURVIVED, UNTESTED, Mutant, is_left, kept, reason

__all__ = ["unexplained", "write"]

PAGE = TOP / "docs" / "evidence" / "mutation.md"


def unexplained(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Who survived without an explanation."""
    return [mutant for mutant in mutants if is_left(mutant) and reason(mutant) is None]


def write() -> None:
    """The page, of all that is known: who was changed and what was noticed, and who was not changed."""
    pure, stateful = kept(PURE), kept(STATEFUL)
    page = [HEAD, *_table(pure), ""]
    if stateful:
        page += [STATEFUL_HEAD, *_table(stateful), ""]
    page.append(WHY)
    explained = Counter(reason(mutant) for mutant in (*pure, *stateful) if is_left(mutant))
    page += ["| mutants | why no test needs to notice |", "| --- | --- |"]
    page += [f"| {count} | {why} |" for why, count in explained.most_common() if why is not None]
    left = unexplained([*pure, *stateful])
    rows = [f"- `{m.file}` {m.function}: `{m.before}` became `{m.after}`" for m in left]
    page += ["", "## Neither killed nor explained yet", "", *rows] if rows else []
    if waiting := sorted({*PURE, *STATEFUL} - {mutant.file for mutant in (*pure, *stateful)}):
        page += ["", WAITING, *(f"- `{file}`" for file in waiting)]
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")


def _table(mutants: Sequence[Mutant]) -> list[str]:
    counts = {file: Counter(m.outcome for m in mutants if m.file == file) for file in sorted({m.file for m in mutants})}
    total: Counter[str] = sum(counts.values(), Counter())
    columns = list(total)
    lines = [f"| file | mutants | {' | '.join(columns)} | left |", "| --- | ---: |" + " ---: |" * (len(columns) + 1)]
    for file, count in [*counts.items(), ("all", total)]:
        shown = [*(str(count[column]) for column in columns), f"{_share_left(count):.1f} %"]
        lines.append(f"| {_named(file)} | {count.total()} | {' | '.join(shown)} |")
    return lines


def _share_left(count: Counter[str]) -> float:
    return 100 * (count[SURVIVED] + count[UNTESTED]) / max(count.total(), 1)


def _named(file: str) -> str:
    """The file; where only a sample of its mutants was tried, of how many."""
    if file not in STATEFUL:
        return file
    tried, known = sum(mutant.file == file for mutant in kept([file])), len(changes_of((TOP / file).read_text("utf-8")))
    return file if tried == known else f"{file} (a sample of {known})"


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
the core, the adapters and what is observed, for up to eight seconds.
"""
WHY = """## Who survived, and why

Each survivor is matched with an explanation in `tools/mutation/reasons.toml`; one without fails the command.
"""
WAITING = """## Not changed since they were last written

Nothing is said of these: `make mutation` and `make mutation ARGS=--stateful` take hours for all of them.
"""
