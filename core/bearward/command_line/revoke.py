"""`bearward revoke`: end a token, a session, a subject's tokens or a key's, wherever revocations are shared.

Rule of this file: it reads the same settings as the servers; exit code 0 says that the store has it.
"""

from __future__ import annotations

import asyncio
import os

import click

from bearward.command_line.ending import CommandError, ExitCode
from bearward.command_line.output import say
from bearward.command_line.revoking import KINDS, issuer_of, revoke
from bearward.revocation.shared import RevocationNotSharedError
from bearward.settings import Settings

__all__ = ["command"]

_DAY = 86_400


@click.command("revoke")
@click.argument("kind", type=click.Choice([*KINDS]))
@click.argument("name")
@click.option("--config", metavar="FILE", help="Settings in TOML; without it BEARWARD_CONFIG, or BEARWARD_...")
@click.option(
    "--program-setting", "program_settings", metavar="NAME", multiple=True, help="A setting that is the program's own."
)
@click.option("--issuer", metavar="ISS", help="Who issued it; needed where several issuers are trusted.")
@click.option(
    "--keep",
    metavar="SECONDS",
    default=_DAY,
    show_default=True,
    type=click.IntRange(1, 3650 * _DAY),
    help="How long to remember it: as long as a token lives.",
)
def command(
    *, kind: str, name: str, config: str | None, program_settings: tuple[str, ...], issuer: str | None, keep: int
) -> int:
    """Revoke in every server that shares revocations.

    NAME is the token's jti, the session's sid, the subject, or the key's RFC 7638 thumbprint. Exit code 0: the store has
    it, 3: it does not respond, and nothing was revoked.
    """
    settings = Settings.load(os.environ, config=config, extra_names=program_settings)
    try:
        asyncio.run(revoke(settings, issuer_of(settings, issuer), kind, name, float(keep)))
    except RevocationNotSharedError:
        raise CommandError("not revoked: the store does not answer", ExitCode.UNAVAILABLE) from None
    say("revoked")
    return ExitCode.OK
