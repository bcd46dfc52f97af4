"""`python -m tests.interop [ROW …]`: run the rows, write `docs/interop.md`, and fail where a verdict is wrong.

Rules of this file: without names all rows run. Which rows ran before is in `ran.json`, to which a full run without
faults adds, and from which nothing is taken away by itself.
"""

from __future__ import annotations

import json
import sys
import time

from tests.interop import manifest
from tests.interop.rows import ROWS
from tests.interop.runner import faults, run, say
from tests.interop.table import table

RAN = manifest.HERE / "ran.json"
TABLE = manifest.TOP / "docs" / "interop.md"


def main(names: list[str]) -> int:
    """Run; the exit code is 1 where anything is wrong, 2 for a name that no row has."""
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        sys.stderr.write(f"no such row: {', '.join(sorted(unknown))}\n")
        return 2
    began = time.monotonic()
    outcomes = [run(row) for row in ROWS if not names or row.name in names]
    before: list[str] = json.loads(RAN.read_text(encoding="utf-8")) if RAN.is_file() else []
    found = faults(outcomes, before)
    if not names:
        TABLE.write_text(table(outcomes), encoding="utf-8")
        if not found:
            ran = {one.row.name for one in outcomes if not one.why_not}
            RAN.write_text(json.dumps(sorted(ran | set(before)), indent=1) + "\n", encoding="utf-8")
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
