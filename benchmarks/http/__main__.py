"""`python -m benchmarks.http [--quick]`: CPU time by request, over HTTP."""

from __future__ import annotations

import argparse

from benchmarks.compare import write
from benchmarks.http.run import run


def main() -> None:
    """Measure, print the table, write the results, compare with the last ones."""
    parser = argparse.ArgumentParser("python -m benchmarks.http", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds of a second: half a minute")
    parser.add_argument("--no-write", action="store_true", help="print, and leave the results that are committed")
    arguments = parser.parse_args()
    write("http", run(quick=arguments.quick), keep=arguments.no_write or arguments.quick)


if __name__ == "__main__":
    main()
