"""`make chaos`: every fault against a live pair of sample servers under load; exit code 1 on a wrong verdict.

`ARGS="--seconds 10 'issuer down' garbage"` picks faults and how long each lasts.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.chaos.faults import FAULTS
from tests.chaos.runner import Outcome, run_faults

_HEAD = ["fault", "requests", "good refused", "bad accepted", "fetches at the issuer", "time to recover"]


def table(outcomes: list[Outcome]) -> str:
    """As a table of Markdown."""
    rows = [_HEAD, *(outcome.cells() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS], help="all, unless some are named")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each fault lasts (default: %(default)s)")
    parser.add_argument("--load", type=int, default=1, help="good and bad calls per 20 ms and transport")
    arguments = parser.parse_args()
    faults = run_faults(
        arguments.faults or list(FAULTS),
        seconds=arguments.seconds,
        per_tick=arguments.load,
        told=lambda outcome: print(" | ".join(outcome.cells()), flush=True),
    )
    outcomes = asyncio.run(faults)
    print("\n" + table(outcomes))
    passed = all(outcome.passed for outcome in outcomes)
    print("\nnothing good refused, nothing bad accepted" if passed else "\nWRONG VERDICTS, see above")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
