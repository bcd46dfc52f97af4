"""Runs a row, and says what is wrong with it.

Rules of this file: a row that breaks has a wrong verdict; a row that judged nothing has one too. What a row started is
stopped before the next one begins, also when the run itself is told to stop.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.interop import manifest
from tests.interop.sheet import EnoughError, Row, Sheet
from tests.interop.table import Outcome

__all__ = ["BROKE", "faults", "run", "say", "stop_when_told"]

BROKE = "the row broke"

_FORGER = "pypi:joserfc"
"""What every row forges tokens by."""


def run(row: Row, *, until_wrong: bool = False) -> Outcome:
    """Run a row, or say why it cannot run; `until_wrong`: no further than its first wrong verdict."""
    with tempfile.TemporaryDirectory(prefix="interop-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        sheet = Sheet(folder=Path(folder), stack=stack, until_wrong=until_wrong)
        peers = [manifest.find(name) for name in dict.fromkeys((*row.needs, _FORGER))]
        outcome = Outcome(row, sheet)
        outcome.why_not = "; ".join(peer.why_not for peer in peers if not peer.usable)
        outcome.versions = ", ".join(peer.shown for peer in peers if peer.name in row.needs)
        began = time.monotonic()
        if not outcome.why_not:
            _judge(row, sheet)
        _report(outcome, time.monotonic() - began)
    return outcome


def _judge(row: Row, sheet: Sheet) -> None:
    try:
        row.run(sheet)
    except EnoughError:
        pass
    except Exception:  # noqa: BLE001  (whatever breaks a row is a fault of the run)
        sheet.wrong.append(f"{BROKE}: {traceback.format_exc(limit=-4)}")
    sheet.stack.close()
    sheet.wrong += [f"{name} had to be killed" for name in sheet.left]
    if not sheet.right and not sheet.wrong:
        sheet.wrong.append("the row judged nothing")


def faults(outcomes: Sequence[Outcome]) -> list[str]:
    """The rows with wrong verdicts; nothing if there are none."""
    return [f"{one.row.name}: {len(one.wrong)} wrong verdicts" for one in outcomes if one.wrong]


def stop_when_told() -> None:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does: by an exception, so that every process is stopped."""

    def told(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told)


def _report(outcome: Outcome, seconds: float) -> None:
    sheet = outcome.sheet
    if outcome.why_not:
        say([f"{outcome.row.name}: not run: {outcome.why_not}"])
        return
    say(
        [
            f"{outcome.row.name}: {sheet.right} right, {len(sheet.wrong)} wrong, {len(sheet.cases)} cases, {seconds:.1f} s"
        ]
    )
    say(f"  WRONG {fault}" for fault in sheet.wrong)


def say(lines: Iterable[str]) -> None:
    """Print, at once."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
