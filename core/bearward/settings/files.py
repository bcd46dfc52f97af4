"""The files of settings but for secrets: the configuration itself, and those that it names, which must be there.

Rule of this file: an error names the setting and why the file cannot be read, never what is in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Final

from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes
from bearward.profiles.by_name import Trusted
from bearward.settings.document import Document

__all__ = ["check_files", "document_in"]

_FILES: Final = ("ca_file", "client_cert", "client_key")


def document_in(path: str | PathLike[str], name: str, mistakes: Mistakes) -> Document:
    """What the file holds; without it there is nothing to go on with."""
    with mistakes.collected():
        return Document(_toml(path, name))
    mistakes.raise_any()
    raise AssertionError("a mistake was found")  # and was raised


def _toml(path: str | PathLike[str], name: str) -> dict[str, Any]:
    """Read the file."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(name, f"must be a readable file ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        # A TOMLDecodeError says where and what kind, and quotes at most a name or a character.
        where = f": {error}" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise ConfigurationError(name, f"must be TOML in UTF-8{where}") from None


def check_files(issuers: Iterable[tuple[int, Trusted]], mistakes: Mistakes) -> None:
    """Refuse certificates that are not there: without them no key would ever come, and the log alone would say so."""
    for index, issuer in issuers:
        for name in _FILES:
            with mistakes.collected():
                _check_file(f"issuers[{index}].keys.{name}", getattr(issuer.jwks_options, name))


def _check_file(setting: str, path: Any) -> None:
    try:
        if path is not None:
            Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise ConfigurationError(setting, f"must be a readable file ({reason})") from None
