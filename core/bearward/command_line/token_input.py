"""A token from stdin or from a hidden prompt; never from the arguments, which every user of the machine can read.

Rules of this file: what is read is bounded, and goes nowhere but to the checks.
"""

from __future__ import annotations

import sys
from getpass import GetPassWarning, getpass
from warnings import catch_warnings, simplefilter

from bearward.command_line.ending import CommandError

__all__ = ["read_secret", "read_token"]

_MOST = 64 * 1024


def read_token() -> str:
    """The token; raises `CommandError` where there is none."""
    token = _from_stdin() if not sys.stdin.isatty() else read_secret("token (hidden): ", "pass the token on stdin")
    if not token:
        raise CommandError("no token: pass it on stdin, or at the prompt")
    return token


def read_secret(prompt: str, instead: str) -> str:
    """What is typed at a hidden prompt; `instead` says what to do where there is no terminal. Raises `CommandError`."""
    with catch_warnings():
        simplefilter("error", GetPassWarning)
        try:
            return getpass(prompt)[:_MOST]
        except (EOFError, OSError, GetPassWarning):
            raise CommandError(f"there is no terminal to ask at: {instead}") from None


def _from_stdin() -> str:
    try:
        octets = sys.stdin.buffer.read(_MOST + 1)
    except OSError:
        raise CommandError("stdin cannot be read: pass the token on it") from None
    if len(octets) > _MOST:
        raise CommandError(f"more than {_MOST} bytes on stdin: that is not a token")
    # Any octet is a character: a token is ASCII, and what is not is refused as a token, by its own code.
    return octets.decode("latin-1").rstrip("\r\n")
