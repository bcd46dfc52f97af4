"""`python -m benchmarks.library [--quick] [--runs 3] [--python …]`: the core beside raw signatures and the other libraries.

Each run is a process of its own; of several the medians are told, and the least and the greatest as their spread.
`--python /usr/bin/python3` measures another interpreter of the same version, with the packages of this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from benchmarks.compare import write
from benchmarks.library.run import run, write_pyperf
from benchmarks.results import RESULTS

_TOP = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measure, print the table, write the results, compare with the last ones."""
    parser = argparse.ArgumentParser("python -m benchmarks.library", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="RS256 and ES256 only, few rounds: half a minute")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the results that are committed")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--python", help="another interpreter; its results are `library-<suite>`")
    parser.add_argument("--suite", default="library", help="the name of the results")
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.python or arguments.runs > 1:
        several(arguments)
        return
    warnings.simplefilter("ignore")  # peers that announce what they will drop
    results = run(quick=arguments.quick)
    if arguments.to is not None:
        figures = {name: {key: figure[key] for key in figure if key != "seconds"} for name, figure in results.items()}
        arguments.to.write_text(json.dumps(figures))
        return
    keep = arguments.no_write or arguments.quick
    RESULTS.mkdir(exist_ok=True)
    write_pyperf(results, Path(os.devnull) if keep else RESULTS / "library-pyperf.json")
    write(arguments.suite, results, keep=keep)


def several(arguments: argparse.Namespace) -> None:
    """One process after the other; then what they have found, as one."""
    python = arguments.python or sys.executable
    paths = [
        _TOP,
        *(_TOP / name for name in ("core", "grpc_adapter", "sanic_adapter")),
        *(Path(path) for path in sys.path if path.endswith("site-packages")),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path.is_dir())}
    environment["PYTHONWARNINGS"] = "ignore"
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.runs):
            to = Path(folder) / f"{number}.json"
            command = [python, "-m", "benchmarks.library", "--to", str(to), *(["--quick"] if arguments.quick else [])]
            subprocess.run(command, check=True, env=environment, cwd=_TOP, stdout=subprocess.DEVNULL)
            found.append(json.loads(to.read_text()))
    write(
        arguments.suite,
        {name: merged([figures[name] for figures in found]) for name in found[0]},
        keep=arguments.no_write,
    )


def merged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of the runs, and their spread in place of the quartiles of one."""
    ratios = [figure["ratio"] for figure in runs]
    one: dict[str, Any] = {"ratio": round(statistics.median(ratios), 4)}
    if "microseconds" in runs[0]:
        one["microseconds"] = min(figure["microseconds"] for figure in runs)
        one["quartiles"] = [min(ratios), max(ratios)]
        one["runs"] = len(runs)
    return one


if __name__ == "__main__":
    main()
