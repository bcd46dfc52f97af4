"""`bearward` on the command line: why a token is refused, what an issuer publishes, what is wrong with a set-up.

Nothing of bearward imports this package. It needs the extra `cli`: click reads the arguments, rich draws the tables.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the arguments name, and exit with its code."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        sys.stderr.write("bearward: the command line needs an extra: pip install 'bearward[cli]'\n")
        sys.exit(2)
    from bearward.command_line.program import run

    run()
