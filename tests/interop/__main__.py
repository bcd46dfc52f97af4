"""`python -m tests.interop [ROW …]`: run the rows, write `docs/evidence/interop.md`, and fail where a verdict is wrong.

Rule of this file: without names all rows run, and only then the table and `ran.json` are written.
"""

from __future__ import annotations

import sys
import time

from tests.interop import manifest, ran
from tests.interop.rows import ROWS
from tests.interop.runner import faults, say, stop_when_told
from tests.interop.side_by_side import run_all
from tests.interop.table import table

RAN = manifest.HERE / "ran.json"
TABLE = manifest.TOP / "docs" / "evidence" / "interop.md"


def main(names: list[str]) -> int:
    """Run; the exit code is 1 where anything is wrong, 2 for a name that no row has."""
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        sys.stderr.write(f"no such row: {', '.join(sorted(unknown))}\n")
        return 2
    stop_when_told()
    began = time.monotonic()
    outcomes = run_all([row for row in ROWS if not names or row.name in names])
    before = ran.load(RAN)
    found = faults(outcomes) + ran.lost(outcomes, before, full=not names)
    if not names:
        TABLE.write_text(table(outcomes), encoding="utf-8")
        if not found:
            ran.save(RAN, outcomes, before)
    say(found)
    not_run = sum(bool(one.why_not) for one in outcomes)
    right = sum(one.sheet.right for one in outcomes)
    wrong = sum(len(one.wrong) for one in outcomes)
    say(
        [
            f"interop: {len(outcomes) - not_run} rows ran, {not_run} did not, {right} verdicts right, {wrong} wrong, in {time.monotonic() - began:.0f} s"
        ]
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
