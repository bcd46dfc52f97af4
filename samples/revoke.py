"""`python -m samples.revoke`: end a token, a session, a subject's tokens or a key's, wherever revocations are shared.

Rule of this file: it reads the same settings as the servers, the samples' own among them, and revokes as `bearward revoke`
does; exit code 0 says that the store has it, so that every server refuses within a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from bearward import RevocationNotSharedError
from bearward.command_line.revoking import KINDS, issuer_of, revoke
from samples.command_line import Parser, load, run_command

__all__ = ["main"]

DAY = 86_400.0


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 3650 * DAY:
        raise argparse.ArgumentTypeError("must be a whole number of seconds, at most ten years")
    return float(text)


def main() -> None:
    """Revoke, and say so."""
    parser = Parser("python -m samples.revoke", description="Revoke in every server that shares revocations.")
    parser.add_config()
    parser.add_argument("--issuer", metavar="URL", help="who issued it; needed where several issuers are trusted")
    parser.add_argument(
        "--keep",
        type=_seconds,
        default=DAY,
        metavar="SECONDS",
        help="how long to remember it: as long as a token lives (default: a day)",
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "name", help="the token's jti, the session's sid, the subject, or the key's RFC 7638 thumbprint"
    )
    arguments = parser.parse_args()
    settings = load(arguments.config)
    issuer = issuer_of(settings, arguments.issuer)
    try:
        asyncio.run(revoke(settings, issuer, arguments.kind, arguments.name, arguments.keep))
    except RevocationNotSharedError:
        print("samples.revoke: not revoked: the store does not answer", file=sys.stderr)
        sys.exit(1)
    print("revoked")


if __name__ == "__main__":
    run_command("samples.revoke", main)
