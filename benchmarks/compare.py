"""A suite's table of ratios, beside what is wanted and beside the results of the last commit.

Rule of this file: only ratios are compared, since seconds belong to a machine. A path that grew by more than a tenth is
named; whether that is a fault is for the reader.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.results import RESULTS, machine, save
from benchmarks.targets import bound, reached

__all__ = ["write"]

_GREW = 1.10


def write(suite: str, figures: dict[str, Any], *, keep: bool) -> None:
    """Print the table and what grew; unless `keep`, write `results/<suite>.json` and `.md`."""
    path = RESULTS / f"{suite}.json"
    before = json.loads(path.read_text())["figures"] if path.exists() else {}
    lines = table(figures)
    print("\n".join(lines))
    for line in grown(figures, before):
        print(line)
    if keep:
        return
    save(suite, figures, lines)


def table(figures: dict[str, Any]) -> list[str]:
    """A Markdown table: what, microseconds where there are any, the ratio with its spread (quartiles, or the least and greatest of runs), what is wanted."""
    lines = ["| path | µs | ratio | spread | wanted | |", "| --- | ---: | ---: | --- | --- | --- |"]
    for name, figure in figures.items():
        wanted = bound(name)
        verdict = "" if not wanted else "reached" if reached(name, figure) else "not reached"
        quartiles = " to ".join(f"{value:.3f}" for value in figure.get("quartiles", ()))
        micro = figure.get("microseconds", "")
        lines.append(f"| {name} | {micro} | {figure['ratio']:.3f} | {quartiles} | {wanted} | {verdict} |")
    return [*lines, "", ", ".join(f"{name} {value}" for name, value in machine().items())]


def grown(figures: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """A line for each path whose ratio grew by more than a tenth since the last results."""
    return [
        f"grew: {name}: {before[name]['ratio']:.3f} to {figure['ratio']:.3f}"
        for name, figure in figures.items()
        if name in before and not bound(name).startswith("at least") and figure["ratio"] > _GREW * before[name]["ratio"]
    ]
