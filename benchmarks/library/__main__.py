"""`python -m benchmarks.library [--quick]`: the core beside raw `cryptography` and the other libraries."""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

from benchmarks.compare import write
from benchmarks.library.run import run, write_pyperf
from benchmarks.results import RESULTS


def main() -> None:
    """Measure, print the table, write the results, compare with the last ones."""
    parser = argparse.ArgumentParser("python -m benchmarks.library", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="RS256 and ES256 only, few rounds: half a minute")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the results that are committed")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers that announce what they will drop
    results = run(quick=arguments.quick)
    keep = arguments.no_write or arguments.quick
    RESULTS.mkdir(exist_ok=True)
    write_pyperf(results, Path(os.devnull) if keep else RESULTS / "library-pyperf.json")
    write("library", results, keep=keep)


if __name__ == "__main__":
    main()
