"""How a command ends: one line and an exit code, whatever happens; never a traceback.

Rules of this file: what is wrong is said in one line on stderr that names the command; no text of a token, a claim or a
secret is in it. An error that nobody foresaw is a line too, which names the place in the code.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import NoReturn

import click

from bearward.errors import AuthError, BearwardError, ConfigurationError

__all__ = ["CommandError", "ExitCode", "end", "one_line"]

_LONGEST = 400
_LONG_WORD = re.compile(r"[^\s'\"()]{40,}")


class ExitCode(IntEnum):
    """What a command ends with; documented in docs/command-line.md, and stable."""

    OK = 0
    NO = 1
    """The token is refused, something is wrong with the set-up, no token was granted, nothing was revoked."""
    USAGE = 2
    """Invalid arguments or settings, or input that cannot be read."""
    UNAVAILABLE = 3
    """What is needed could not be reached or read: an issuer, a store, a file of keys."""
    BUG = 70
    """An internal error, which is a bug of bearward."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CommandError(Exception):
    """A command cannot go on: what to say, and the exit code."""

    def __init__(self, text: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(text)
        self.code = code


def one_line(text: str) -> str:
    r"""Text as one line of printable characters, not too long.

    >>> one_line("a\n\x1b b")
    'a b'
    """
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _without_tokens(text: str) -> str:
    """What click says of an argument that should not be there, without the argument where it may be a token.

    >>> _without_tokens(f"Got unexpected extra argument ({'x' * 50})")
    'Got unexpected extra argument (...); a token or a secret is read from stdin or at a prompt'
    """
    hidden = _LONG_WORD.sub("...", text)
    return text if hidden == text else f"{hidden}; a token or a secret is read from stdin or at a prompt"


def end(run: Callable[[], object]) -> NoReturn:
    """Run a command to its end, and exit with its code."""
    try:
        code = _code_of(run)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer has no reader; flushing it at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.BROKEN_PIPE
    sys.exit(code)


def _code_of(run: Callable[[], object]) -> int:
    try:
        result = run()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        return _said(_name(error), _without_tokens(error.format_message()), ExitCode.USAGE)
    except click.Abort:
        return ExitCode.INTERRUPTED
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is one line)
        return _failed(error)
    return result if isinstance(result, int) else ExitCode.OK


def _failed(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, CommandError):
        return _said(_name(), str(error), error.code)
    if isinstance(error, ConfigurationError):
        return max(_said(_name(), str(mistake), ExitCode.USAGE) for mistake in error.mistakes)
    if isinstance(error, AuthError | BearwardError):
        return _said(_name(), str(error), ExitCode.UNAVAILABLE)
    if isinstance(error, SystemExit):
        return _said(_name(), "a module that was loaded ended the program", ExitCode.USAGE)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return _said(_name(), f"internal error ({type(error).__name__} at {place}): please report it", ExitCode.BUG)


_running = ["bearward"]


def running(name: str) -> None:
    """Say which command runs, for the line of an error."""
    _running.append(f"bearward {name}")


def _name(error: click.ClickException | None = None) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else _running[-1]


def _said(name: str, text: str, code: ExitCode) -> int:
    click.echo(f"{name}: {one_line(text)}", err=True)
    return code
