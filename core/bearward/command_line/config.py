"""`bearward config check` and `bearward config schema`: whether settings are valid, and what they may be.

Rules of this file: `Settings` judges; the schema is made of the definitions that `Settings` itself reads by. No value of a
setting is shown.
"""

from __future__ import annotations

import click

from bearward.command_line.ending import ExitCode
from bearward.command_line.output import print_json, say
from bearward.command_line.settings_schema import settings_schema
from bearward.command_line.trust import Trust, trust_options
from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Check settings, or show their JSON Schema."""


@command.command("check")
@trust_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(trust: Trust, *, as_json: bool) -> int:
    """Say whether settings are valid. Exit code 0: they are, 2: the line says which is not, and what it must be."""
    try:
        settings = trust.settings()
        settings.verifier(default_origins=("https://localhost",))
    except ConfigurationError as error:
        if not as_json:
            raise
        mistakes = [{"setting": one.setting, "requirement": one.requirement} for one in error.mistakes]
        print_json({"valid": False, **mistakes[0], "mistakes": mistakes})
        return ExitCode.USAGE
    names = [one.template if isinstance(one, TenantIssuers) else one.issuer for one in settings.issuers]
    if as_json:
        print_json({"valid": True, "issuers": names})
    else:
        say(f"valid: {', '.join(names)}")
    return ExitCode.OK


@command.command("schema")
def schema() -> int:
    """Print the JSON Schema of a settings file, for an editor or a pipeline."""
    print_json(settings_schema())
    return ExitCode.OK
