"""`python -m tests.interop [ROW …]`: run the rows, write `docs/interop.md`, and fail where a verdict is wrong.

Rules of this file: without names all rows run. A row that ran before and does not run now is a failure; which ran
before is in `ran.json`, to which a full run adds and from which nothing is taken away by itself.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

from tests.interop import manifest
from tests.interop.rows import ROWS
from tests.interop.sheet import Row, Sheet
from tests.interop.table import Outcome, table

RAN = manifest.HERE / "ran.json"
TABLE = manifest.TOP / "docs" / "interop.md"


def main(names: list[str]) -> int:
    """Run; the exit code is 1 where anything is wrong."""
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        sys.stderr.write(f"no such row: {', '.join(sorted(unknown))}\n")
        return 2
    began = time.monotonic()
    outcomes = [_outcome(row) for row in ROWS if not names or row.name in names]
    before: list[str] = json.loads(RAN.read_text(encoding="utf-8")) if RAN.is_file() else []
    missed = [one for one in outcomes if one.why_not and one.row.name in before]
    wrong = [one for one in outcomes if one.wrong]
    if not names:
        TABLE.write_text(table(outcomes), encoding="utf-8")
        if not wrong and not missed:
            ran = {one.row.name for one in outcomes if not one.why_not}
            RAN.write_text(json.dumps(sorted(ran | set(before)), indent=1) + "\n", encoding="utf-8")
    for one in missed:
        _say(f"{one.row.name} ran before and did not run: {one.why_not}")
    right = sum(one.sheet.right for one in outcomes)
    faults = sum(len(one.wrong) for one in outcomes)
    not_run = sum(bool(one.why_not) for one in outcomes)
    _say(
        f"interop: {len(outcomes) - not_run} rows ran, {not_run} did not, {right} verdicts right, {faults} wrong, "
        f"in {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong or missed else 0


def _outcome(row: Row) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="interop-") as folder, ExitStack() as stack:
        sheet = Sheet(folder=Path(folder), stack=stack)
        outcome = Outcome(row, sheet)
        peers = [manifest.find(name) for name in row.needs]
        outcome.why_not = "; ".join(peer.why_not for peer in peers if not peer.usable)
        outcome.versions = ", ".join(f"{peer.name.partition(':')[2]} {peer.found}" for peer in peers)
        began = time.monotonic()
        if not outcome.why_not:
            try:
                row.run(sheet)
            except Exception:  # noqa: BLE001  (whatever breaks a row is a fault of the run)
                sheet.wrong.append(f"the row broke: {traceback.format_exc(limit=-4)}")
            stack.close()
            sheet.wrong += [f"{name} had to be killed" for name in sheet.left]
            if not sheet.right and not sheet.wrong:
                sheet.wrong.append("the row judged nothing")
    _report(outcome, time.monotonic() - began)
    return outcome


def _report(outcome: Outcome, seconds: float) -> None:
    sheet = outcome.sheet
    if outcome.why_not:
        _say(f"{outcome.row.name}: not run: {outcome.why_not}")
        return
    _say(f"{outcome.row.name}: {sheet.right} right, {len(sheet.wrong)} wrong, {len(sheet.cases)} cases, {seconds:.1f} s")
    for fault in sheet.wrong:
        _say(f"  WRONG {fault}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
