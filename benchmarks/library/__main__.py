"""`python -m benchmarks.library [--quick]`: the core beside raw `cryptography` and the other libraries."""

from __future__ import annotations

import argparse
import warnings

from benchmarks.library.run import run
from benchmarks.results import write


def main() -> None:
    """Measure, print the table, write the results, compare with the last ones."""
    parser = argparse.ArgumentParser("python -m benchmarks.library", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="RS256 and ES256 only, few rounds: half a minute")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the results that are committed")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers that announce what they will drop
    results = run(quick=arguments.quick)
    write("library", results, keep=arguments.no_write or arguments.quick)


if __name__ == "__main__":
    main()
