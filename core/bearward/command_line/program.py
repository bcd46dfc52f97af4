"""The command `bearward`, and which modules its commands are in.

Rules of this file: a module is imported when its command runs, so that `bearward --help` and every other command stay
quick.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from bearward import __version__
from bearward.command_line.ending import end, running

__all__ = ["bearward", "run"]

_COMMANDS = {
    "explain": "Say why a token passes or is refused, check by check.",
    "keys": "Show the keys that an issuer publishes, and which can be used.",
    "doctor": "Check a whole set-up, and say what to change.",
    "rules": "Show who may call what, of an application or a server.",
    "token": "Get a token with the client credentials grant.",
    "issuer": "Run a local issuer for development, with faults on demand.",
    "revoke": "Revoke a token, a session, a subject or a key.",
    "config": "Check settings, or show their JSON Schema.",
}


class _Program(click.Group):
    """The commands, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        running(cmd_name)
        command: Any = import_module(f"bearward.command_line.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*_COMMANDS.items()])


@click.command(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bearward")
def bearward() -> None:
    """Verify bearer tokens, and find out why they are refused.

    Every command has --help. Exit codes: 0 fine, 1 no, 2 invalid arguments or settings, 3 not reachable.
    """


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line, and exit with its code."""
    logging.disable()  # a command says itself what went wrong, once
    end(lambda: _invoke(sys.argv[1:] if arguments is None else arguments))


def _invoke(arguments: list[str]) -> object:
    """As click's own `main`, which would print a line for Ctrl-C, and end a broken pipe by a code of its own."""
    try:
        with bearward.make_context("bearward", arguments) as context:
            return bearward.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
