"""`make docs`: build the site into `.cache/site/html`, with every warning an error, and check what was built."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.site.build import build

PLACE = Path(__file__).resolve().parents[2] / ".cache" / "site"


def main() -> int:
    """Build; the exit code is 0, or 1 with one line for each thing that is wrong."""
    problems = build(PLACE)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"open {PLACE / 'html' / 'index.html'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
