"""`python -m tests.differential`: write docs/evidence/differential.md again."""

# ruff: noqa: T201  (a command that says what it did)

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import jwt
from joserfc import __version__ as joserfc_version

from tests.attack.case import ACCEPTED
from tests.differential.compare import Row, compared
from tests.differential.peers import PEERS, REFUSED
from tests.differential.reasons import why_accepted, why_refused

__all__ = ["DOCUMENT", "document"]

DOCUMENT = Path("docs/evidence/differential.md")


def document(rows: Iterable[Row]) -> str:
    """The page."""
    table = list(rows)
    refused = [row for row in table if row.ours != ACCEPTED and ACCEPTED in row.peers]
    accepted = [row for row in table if row.ours == ACCEPTED and set(row.peers) != {ACCEPTED}]
    escaped = [row for row in table if not set(row.peers) <= {ACCEPTED, REFUSED}]
    return "\n".join(
        [
            _HEAD.format(joserfc=joserfc_version, pyjwt=jwt.__version__, tokens=len(table)),
            "## They accept, we refuse\n",
            *_grouped(refused, why_refused),
            "## We accept, they refuse\n",
            *_grouped(accepted, why_accepted),
            "## An exception that is none of the library's own\n",
            "bearward raises an AuthError for each of these. A service that catches the library's errors answers 500.\n",
            *_rows(escaped),
        ]
    )


def _grouped(rows: list[Row], why: Callable[[Row], str]) -> list[str]:
    reasons = dict.fromkeys(why(row) for row in rows)
    return [line for reason in reasons for line in (f"{reason}\n", *_rows(row for row in rows if why(row) == reason))]


def _rows(rows: Iterable[Row]) -> list[str]:
    head = [f"| class | token | bearward | {' | '.join(PEERS)} |", "| --- " * (3 + len(PEERS)) + "|"]
    cells = ([row.kind, row.name, f"`{row.ours}`", *row.peers] for row in rows)
    return [*head, *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in cells), ""]


_HEAD = """# What other libraries say about the same tokens

Written by `make differential` from {tokens} tokens of the attack table; a test fails if it is out of date. joserfc
({joserfc}) and PyJWT ({pyjwt}) are configured carefully (`tests/differential/peers.py`): issuer, audience and `exp` are
required, with the same allow-list of algorithms, the same JWK Set, and only the keys that the token's `kid` names.

Whatever bearward accepts, they accept with the same claims, except for the tokens in the second section (a property test
checks this with generated claims). Whatever they accept and bearward refuses is in the first section.
"""


def main() -> int:
    """Write the page."""
    DOCUMENT.write_text(document(compared()), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
