"""Results: one JSON file and one table a suite, the machine named, compared with those of the last commit.

Rule of this file: only ratios are compared, since seconds belong to a machine. A path that grew by more than a tenth is
named; whether that is a fault is for the reader.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.targets import bound, reached

__all__ = ["RESULTS", "write"]

RESULTS = Path(__file__).parent / "results"
_GREW = 1.10
_VERSIONS = (
    "cryptography", "python-jose", "pyjwt", "joserfc", "authlib", "msgspec", "aiocache", "grpcio", "sanic", "uvloop",
)  # fmt: skip


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
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


def table(figures: dict[str, Any]) -> list[str]:
    """A Markdown table: what, microseconds where there are any, the ratio with its quartiles, what is wanted."""
    lines = ["| path | µs | ratio | quartiles | wanted | |", "| --- | ---: | ---: | --- | --- | --- |"]
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


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    known = {"python": platform.python_version(), "processor": _processor(), "system": platform.system()}
    for name in _VERSIONS:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
