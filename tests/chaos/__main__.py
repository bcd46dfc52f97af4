"""`make chaos`: every fault and every flood against live servers under load; exit code 1 on a wrong verdict.

`ARGS="--seconds 10 'issuer down' garbage"` picks faults and how long each lasts; `ARGS="'expensive key' --forged 5000"` picks a
flood and how many forged tokens it sends. A p99 of good calls beyond 1.5 times the quiet one is named, and fails nobody.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence

from tests.chaos.adversary import HEAD as FLOOD_HEAD
from tests.chaos.adversary import run_floods
from tests.chaos.faults import FAULTS
from tests.chaos.forgeries import SORTS
from tests.chaos.runner import run_faults

_HEAD = ["fault", "requests", "good refused", "bad accepted", "fetches at the issuer", "time to recover"]
_SLOWER = 1.5


def table(head: Sequence[str], outcomes: Iterable[Sequence[str]]) -> str:
    """As a table of Markdown."""
    rows = [head, *outcomes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FAULTS, *SORTS], help="all, unless some are named")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each fault lasts (default: %(default)s)")
    parser.add_argument("--load", type=int, default=1, help="good and bad calls per 20 ms and transport")
    parser.add_argument("--forged", type=int, default=100_000, help="tokens of a flood (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=300.0, help="of them a second and transport (default: %(default)s)"
    )
    given = parser.parse_args()
    names = given.names or [*FAULTS, *SORTS]
    wrong = faults([name for name in names if name in FAULTS], given)
    wrong += floods([name for name in names if name in SORTS], given)
    print("\n" + "\n".join(["nothing good refused, nothing bad accepted"] if not wrong else ["WRONG:", *wrong]))
    return 1 if wrong else 0


def faults(names: list[str], given: argparse.Namespace) -> list[str]:
    """Run these faults and print their table; the names of those whose verdicts were wrong."""
    if not names:
        return []
    outcomes = asyncio.run(
        run_faults(
            names,
            seconds=given.seconds,
            per_tick=given.load,
            told=lambda outcome: print(" | ".join(outcome.cells()), flush=True),
        )
    )
    print("\n" + table(_HEAD, [outcome.cells() for outcome in outcomes]))
    return [outcome.fault for outcome in outcomes if not outcome.passed]


def floods(names: list[str], given: argparse.Namespace) -> list[str]:
    """Run these floods and print their table; what was beyond its bound."""
    if not names:
        return []
    running = run_floods(
        names,
        number=given.forged,
        rate=given.rate,
        told=lambda flooded: print(" | ".join(flooded.cells()), flush=True),
    )
    outcomes = asyncio.run(running)
    print("\n" + table(FLOOD_HEAD, [outcome.cells() for outcome in outcomes]))
    for outcome in outcomes:
        for transport, ratio in outcome.ratios.items():
            if ratio > _SLOWER:
                print(f"slower than wanted, on this machine: {outcome.sort}, {transport}: {ratio:.2f} of {_SLOWER}")
    return [fault for outcome in outcomes for fault in outcome.faults]


if __name__ == "__main__":
    sys.exit(main())
