"""What ran before, and what of it did not run now: `ran.json`, kept beside the rows.

Rule of this file: a row that is gone, that could not run, or that lost a transport, an algorithm or cases is a failure.
What a full run adds is written down by itself; taking something away is an edit of the file, for a reviewer to see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.interop.table import Outcome

__all__ = ["load", "lost", "save"]

Ran = Mapping[str, Mapping[str, Any]]
"""By row: `cases` (how many), `transports` and `algorithms` (names)."""


def load(file: Path) -> Ran:
    """What the file says; nothing if there is none."""
    known: Ran = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return known


def lost(outcomes: Sequence[Outcome], before: Ran, *, full: bool) -> list[str]:
    """Why the run is less than one before; `full`: every row was asked for."""
    now = {one.row.name: one for one in outcomes}
    gone = [f"{name} ran before and is gone" for name in before if full and name not in now]
    return gone + [reason for name, was in before.items() if name in now for reason in _less(now[name], was)]


def _less(outcome: Outcome, was: Mapping[str, Any]) -> list[str]:
    name, sheet = outcome.row.name, outcome.sheet
    if outcome.why_not:
        return [f"{name} ran before and did not run: {outcome.why_not}"]
    missed = {
        "transports": set(was["transports"]) - sheet.transports.keys(),
        "algorithms": set(was["algorithms"]) - sheet.algorithms.keys(),
    }
    less = [f"{name} ran before with the {kind} {', '.join(sorted(names))}" for kind, names in missed.items() if names]
    if len(sheet.cases) < was["cases"]:
        less.append(f"{name} ran before with {was['cases']} cases, now with {len(sheet.cases)}")
    return less


def save(file: Path, outcomes: Sequence[Outcome], before: Ran) -> None:
    """Write down what ran, together with what ran before."""
    ran = {
        one.row.name: {
            "cases": len(one.sheet.cases),
            "transports": sorted(one.sheet.transports),
            "algorithms": sorted(one.sheet.algorithms),
        }
        for one in outcomes
        if not one.why_not
    }
    rows = sorted({**before, **ran}.items())
    lines = (f" {json.dumps(name)}: {json.dumps(what)}" for name, what in rows)
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
