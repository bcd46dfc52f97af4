"""`docs/evidence/mutation.md`: written from what is known about every file, and from the reasons why mutants survive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.mutation.files import PURE, STATEFUL, TOP
from tools.mutation.mutant import Mutant, is_left, kept, reason

__all__ = ["unexplained", "write"]

PAGE = TOP / "docs" / "evidence" / "mutation.md"


def unexplained(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Who survived without an explanation."""
    return [mutant for mutant in mutants if is_left(mutant) and reason(mutant) is None]


def write() -> list[str]:
    """The page, of all that is known; the pure files of which nothing is, and then there is no page."""
    pure, stateful = kept(PURE), kept(STATEFUL)
    if missing := sorted({*PURE} - {mutant.file for mutant in pure}):
        return missing
    page = [HEAD, *_table(pure), "", STATEFUL_HEAD, *_table(stateful), "", WHY]
    explained = Counter(reason(mutant) for mutant in (*pure, *stateful) if is_left(mutant))
    page += ["| mutants | why no test needs to notice |", "| --- | --- |"]
    page += [f"| {count} | {why} |" for why, count in explained.most_common() if why is not None]
    left = unexplained([*pure, *stateful])
    rows = [f"- `{m.file}` {m.function}: `{m.before}` became `{m.after}`" for m in left]
    page += ["", "## Neither killed nor explained yet", "", *rows] if rows else []
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    return []


def _table(mutants: Sequence[Mutant]) -> list[str]:
    counts = {file: Counter(m.outcome for m in mutants if m.file == file) for file in sorted({m.file for m in mutants})}
    total: Counter[str] = sum(counts.values(), Counter())
    columns = list(total)
    lines = [f"| file | mutants | {' | '.join(columns)} |", "| --- | ---: |" + " ---: |" * len(columns)]
    for file, count in [*counts.items(), ("all", total)]:
        lines.append(f"| {file} | {count.total()} | {' | '.join(str(count[column]) for column in columns)} |")
    return lines


HEAD = """# Mutation testing

Written by `make mutation` (`tools/mutation/`). Killed means that a test noticed the change.

## Pure files

mutmut 3 changes every function in every small way, and the tests of the core are to notice. The property tests, the attack
table and the fuzzer are left out: they would notice more, and each mutant would take minutes.
"""
STATEFUL_HEAD = """## Stateful files

Changed one mutant at a time on a copy of the tree (`tools/mutation/changes.py` lists the ways), and judged by the tests of
the file with real servers and stores (`tools/mutation/files.py`). Where fewer mutants are listed than a file has, they are
a random sample.
"""
WHY = """## Who survived, and why

Each survivor is matched with an explanation in `tools/mutation/reasons.toml`; one without fails the command.
"""
