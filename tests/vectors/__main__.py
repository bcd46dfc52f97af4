"""`make vectors`: every vector, counted; the exit code is 1 where a verdict is wrong."""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import sys

from bearward.jose import aws_lc
from tests.signature_libraries import LIBRARIES, signatures_by
from tests.vectors.suites import ACCEPTED_ON_PURPOSE, REFUSED_ON_PURPOSE, SUITES


def main() -> int:
    """Judge all vectors by each library, print the counts and each wrong verdict by name."""
    wrong: list[str] = []
    libraries = [library for library in LIBRARIES if library == "cryptography" or aws_lc.is_installed()]
    for library in libraries:
        print(f"signatures by {library}")
        with signatures_by(library):
            wrong += _wrong()
    if any(suite.path is not None and suite.name.startswith("Wycheproof, s") for suite in SUITES):
        for number, why in sorted({**REFUSED_ON_PURPOSE, **ACCEPTED_ON_PURPOSE}.items()):
            print(f"    on purpose unlike Wycheproof {number}: {why}")
    for name in wrong:
        print(f"WRONG {name}")
    return 1 if wrong else 0


def _wrong() -> list[str]:
    """The vectors whose verdict is wrong, by name; prints the counts."""
    wrong: list[str] = []
    for suite in SUITES:
        if suite.path is None:
            print(f"{suite.name:24} not here: set BEARWARD_VECTORS to the folder that holds them")
            continue
        vectors = suite.vectors()
        failed = [vector.name for vector in vectors if not vector.right()]
        if len(vectors) != suite.count:
            failed.append(f"{suite.name}: {len(vectors)} vectors instead of {suite.count}")
        print(f"{suite.name:24} {len(vectors):4} vectors, {len(vectors) - len(failed):4} right, {len(failed)} wrong")
        wrong += failed
    return wrong


if __name__ == "__main__":
    sys.exit(main())
