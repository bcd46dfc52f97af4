"""`make mutation`: change the files in every small way, and see whether a test notices.

Rules of this file: it works on copies and never touches the tree. Who survives must be explained in `reasons.toml`;
`docs/evidence/mutation.md` is written from both. The exit code is 1 where a survivor has no explanation.

    make mutation                                  # the pure files: an hour
    make mutation ARGS=--stateful                  # the stateful files: an hour, ten minutes of it to see which test runs what
    make mutation ARGS="--stateful --sample 3"     # three mutants of each stateful file
    make mutation ARGS="--near jwks/lease.py"      # a stateful file, judged by no more than the tests that are about it
    make mutation ARGS="jose/jwk.py verifier.py"   # the files that end so, all mutants; what is known of others stays
    make mutation ARGS="--again verifier.py"       # what survived of a file, against the tests as they are now
    make mutation ARGS=--report                    # write the page anew
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from tools.mutation import page, pure, stateful
from tools.mutation.files import PURE, STATEFUL
from tools.mutation.mutant import Mutant, keep


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="how the names of the files end; all pure ones, unless some are named")
    parser.add_argument("--stateful", action="store_true", help="the stateful files instead of the pure ones")
    parser.add_argument("--sample", type=int, help="so many mutants of each stateful file, picked by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="only what survived before, or is new")
    parser.add_argument("--near", action="store_true", help="stateful files are judged by the tests about them alone")
    parser.add_argument("--report", action="store_true", help="run nothing, write the page")
    given = parser.parse_args()
    mutants: list[Mutant] = []
    if not given.report:
        names = tuple(given.files) or (("",) if not given.stateful else ())
        mutants = run(ending(PURE, names), ending(STATEFUL, names or ("",) if given.stateful else given.files), given)
        keep(mutants)
    page.write()
    left = page.unexplained(mutants)
    for mutant in left:
        print(f"{mutant.file} {mutant.function}\n  - {mutant.before}\n  + {mutant.after}")
    print(f"{len(mutants)} mutants, {len(left)} survived without an explanation")
    return 1 if left else 0


def run(pure_files: list[str], stateful_files: list[str], given: argparse.Namespace) -> list[Mutant]:
    """Both kinds of files, whichever were asked for."""
    mutants = pure.run(pure_files, again=given.again) if pure_files else []
    if stateful_files:
        drawn = [(file, change) for file in stateful_files for change in stateful.drawn(file, given.sample, given.seed)]
        mutants += stateful.run(drawn, again=given.again, near=given.near, told=say)
    return mutants


def ending(files: Iterable[str], ends: Iterable[str]) -> list[str]:
    """The files whose names end in one of these."""
    return [file for file in files if file.endswith(tuple(ends))]


def say(mutant: Mutant) -> None:
    """One line for one mutant of a run that takes long."""
    print(f"{mutant.outcome}: {mutant.file} {mutant.function}: {mutant.after}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
