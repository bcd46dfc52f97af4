"""`python -m benchmarks.jwks [--quick]`: the key store at scale; prints each figure beside what it must be."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from benchmarks.jwks.fleet import PROCESSES, REQUESTS, VERIFIERS, cold_fleet, kinds
from benchmarks.jwks.flood import flood, p99
from benchmarks.jwks.memory import growth
from benchmarks.jwks.rotation import herd, rotations
from benchmarks.results import machine, save

Figure = tuple[str, float, float, str]
"""What, how much, at most, of what."""


def figures(*, quick: bool) -> Iterator[Figure]:
    """Each as soon as it is measured."""
    herd_name = f"{PROCESSES * VERIFIERS} verifiers in {PROCESSES} processes, cold, {REQUESTS} requests each"
    for kind in kinds():
        fetches, refused = cold_fleet(kind)
        most = PROCESSES if kind == "memory" else 1
        yield f"{herd_name}, {kind}", fetches, most, "fetches"
        yield f"the same, {kind}", refused, 0, "good refused"
    yield "herd of 50, cold", asyncio.run(herd(50)), 1, "fetches"
    seconds, forged = (6.0, 20_000) if quick else (30.0, 100_000)
    outcome = asyncio.run(flood(seconds, forged))
    name = f"flood of {outcome.forged:,} forged kids in {seconds:g} s"
    yield name, outcome.fetches, 2 + seconds // 5, "fetches"
    yield f"{name}: of {outcome.good:,} good requests", outcome.good_refused, 0, "good refused"
    yield name, outcome.forged_accepted, 0, "bad accepted"
    yield f"{name}: a key that was rotated in", round(outcome.new_key_after, 2), 5.0, "s until accepted"
    percentile = f"p99 of good requests, {p99(outcome.flooded) * 1e6:.0f} µs, by that without it"
    yield f"{name}: {percentile}", round(outcome.ratio(), 3), 1.5, "times"
    times, requests = (4, 20_000) if quick else (20, 100_000)
    refused, fetches = asyncio.run(rotations(requests, times))
    yield f"{times} rotations in {requests:,} requests ({fetches} fetches)", refused, 0, "good refused"
    number = 100_000 if quick else 1_000_000
    for what in ("kids", "tenants"):
        yield f"{number:,} distinct {what}", round(growth(what, number), 1), 16, "MiB more"


def main() -> int:
    """Measure, print, and write the results unless it was quick."""
    parser = argparse.ArgumentParser("python -m benchmarks.jwks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of each; writes nothing")
    quick = parser.parse_args().quick
    logging.getLogger("bearward").setLevel(logging.CRITICAL)
    lines = ["| what | measured | at most | |", "| --- | ---: | ---: | --- |"]
    print("\n".join(lines))
    measured: list[dict[str, Any]] = []
    for what, value, most, unit in figures(quick=quick):
        reached = "reached" if value <= most else "NOT REACHED"
        lines.append(f"| {what} | {value:g} {unit} | {most:g} | {reached} |")
        measured.append({"what": what, "value": value, "at_most": most, "unit": unit})
        print(lines[-1], flush=True)
    if not quick:
        named = ", ".join(f"{name} {value}" for name, value in machine().items())
        save("jwks", measured, [*lines, "", named])
    return 0 if all(figure["value"] <= figure["at_most"] for figure in measured) else 1


if __name__ == "__main__":
    raise SystemExit(main())
