"""One target under atheris: `python -m tests.fuzz.harness TARGET [libFuzzer's own options and folders]`.

Rule of this file: the core is instrumented, what it is built on is not; libFuzzer does the rest.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["bearward"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer says that it is enough; never returns."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
