"""`python tools/complexity.py`: no function of the three packages is harder to follow than radon's 12.

Rules of this file: ruff's C901 counts branches and holds functions to 8; radon also counts `and` and `or`, and holds them
to 12. A class counts for nothing: its methods do. The exit code is 1 where a function is over.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from radon.complexity import cc_visit
from radon.visitors import Function

TOP = Path(__file__).resolve().parent.parent
PACKAGES = ("core/bearward", "grpc_adapter/bearward_grpc", "sanic_adapter/bearward_sanic")
MOST = 12


def main() -> int:
    """Print what is over."""
    over = sorted(found for package in PACKAGES for found in over_in(TOP / package))
    for complexity, place in reversed(over):
        print(f"{place}: complexity {complexity}, at most {MOST} (and, or and branches counted)")
    return 1 if over else 0


def over_in(package: Path) -> Iterator[tuple[int, str]]:
    """Each function of the package over `MOST`, with its place."""
    for path in sorted(package.rglob("*.py")):
        if path.stem.endswith(("_pb2", "_pb2_grpc")):
            continue
        for block in cc_visit(path.read_text(encoding="utf-8")):
            if isinstance(block, Function) and block.complexity > MOST:
                yield block.complexity, f"{path.relative_to(TOP)}:{block.lineno} {block.fullname}"


if __name__ == "__main__":
    sys.exit(main())
