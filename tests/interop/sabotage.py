"""`python -m tests.interop.sabotage [WAY …]`: break bearward in each way, and see that every row notices.

Rule of this file: a row that stays good while verification is switched off, or while everybody is refused, judges
nothing. The ways are in `sabotaged/`; which rows a way is no business of is written here, with the reason.
"""

from __future__ import annotations

import os
import sys

from tests.interop.rows import ROWS
from tests.interop.runner import BROKE, run, say, stop_when_told
from tests.interop.table import Outcome

__all__ = ["main"]

_NO_SCOPES = frozenset(
    {
        "maker-joserfc",
        "maker-pyjwt",
        "maker-authlib",
        "oidc-provider",
        "glewlwyd",
        "oauth2-mock-server",
        "cognito",
        "shape-entra-common",
        "how-to-EdDSA",
        "how-to-RS256",
        "together",
        "dpop-by-oauth4webapi",
        "dpop-by-auth0",
        "dpop-issuer",
        "dpop-npm",
        "dpop-oauth4webapi",
        "nginx-certificates",
        "haproxy-certificates",
    }
)
"""Rows about tokens: they call what any valid token may call."""
_NO_KEYS = frozenset({"shape-entra-common"})
"""Its metadata is refused, so no key is ever there, and no token is looked at further."""
_NO_CLAIMS = frozenset({"together"})
"""It is about whose key signed; every claim in it is good."""
_ABOUT_PROOFS = frozenset(
    {
        "envoy",
        "nginx-certificates",
        "haproxy-certificates",
        "dpop-issuer",
        "dpop-npm",
        "dpop-oauth4webapi",
        "dpop-by-oauth4webapi",
        "dpop-by-auth0",
    }
)
"""Rows with tokens that are bound to a key or a certificate."""
UNCONCERNED: dict[str, frozenset[str]] = {
    "accepts": frozenset(),
    "refuses": frozenset(),
    "unsigned": _NO_KEYS,
    "unvalidated": _NO_KEYS | _NO_CLAIMS,
    "unauthorized": _NO_SCOPES,
    "unproven": frozenset(row.name for row in ROWS) - _ABOUT_PROOFS,
}


def main(ways: list[str]) -> int:
    """The exit code is 1 where a row did not notice."""
    stop_when_told()
    unnoticed = []
    for way in ways or UNCONCERNED:
        os.environ["INTEROP_SABOTAGE"] = way
        say([f"## {way}"])
        concerned = (row for row in ROWS if row.name not in UNCONCERNED[way])
        blind = (row.name for row in concerned if not _noticed(run(row, until_wrong=True)))
        unnoticed += [f"{name} does not notice: {way}" for name in blind]
    say(unnoticed or ["every row notices"])
    return 1 if unnoticed else 0


def _noticed(outcome: Outcome) -> bool:
    """Whether there is a wrong verdict; a row that merely broke has seen nothing."""
    return any(not fault.startswith(BROKE) for fault in outcome.wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
