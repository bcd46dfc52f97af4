"""`python -m samples.revoke`: end a token, a session, a subject's tokens or a key's, wherever revocations are shared.

Rule of this file: it reads the same settings as the servers and writes to the store that they share; exit code 0 says
that the store has it, so that every server refuses within a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from bearward import ConfigurationError, RevocationNotSharedError, SharedRevocations, TenantIssuers, TrustedIssuer
from bearward.settings import Settings
from bearward.verifier import Verifier
from samples.command_line import Parser, load, run_command

__all__ = ["main"]

DAY = 86_400.0

Act = Callable[[SharedRevocations, str, str, float, float], None]

KINDS: dict[str, Act] = {
    "token": lambda shared, issuer, name, _, until: shared.revoke_token(issuer, name, until=until),
    "session": lambda shared, issuer, name, now, until: shared.revoke_session(issuer, name, before=now, until=until),
    "subject": lambda shared, issuer, name, now, until: shared.revoke_subject(issuer, name, before=now, until=until),
    "key": lambda shared, issuer, name, _, until: shared.revoke_key(issuer, name, until=until),
}


async def revoke(settings: Settings, issuer: str, kind: str, name: str, seconds: float) -> None:
    """Share one revocation; raises `RevocationNotSharedError` if the store does not take it."""
    verifier = settings.verifier()
    shared = _shared(verifier, settings.prefix)
    await shared.start()
    try:
        now = verifier.now()
        KINDS[kind](shared, issuer, name, now, now + seconds)
        await shared.flush()
    finally:
        await shared.aclose()


def _shared(verifier: Verifier, prefix: str) -> SharedRevocations:
    if not isinstance(verifier.revocations, SharedRevocations):
        name = "BEARWARD_REVOCATIONS_ON_FAILURE" if prefix else "revocations.on_failure"
        raise ConfigurationError(name, "must be set, here and for the servers: otherwise no server learns of it")
    return verifier.revocations


def _issuer(settings: Settings, asked: str | None) -> str:
    names = [issuer.issuer for issuer in settings.issuers if isinstance(issuer, TrustedIssuer)]
    templates = [issuer for issuer in settings.issuers if isinstance(issuer, TenantIssuers)]
    if asked is None and len(set(names)) == 1 and not templates:
        return names[0]
    if asked is None or not (asked in names or any(tenants.issuer_for(asked) for tenants in templates)):
        raise ConfigurationError("--issuer", "must be one of the issuers in the settings")
    return asked


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
    issuer = _issuer(settings, arguments.issuer)
    try:
        asyncio.run(revoke(settings, issuer, arguments.kind, arguments.name, arguments.keep))
    except RevocationNotSharedError:
        print("samples.revoke: not revoked: the store does not answer", file=sys.stderr)
        sys.exit(1)
    print("revoked")


if __name__ == "__main__":
    run_command("samples.revoke", main)
