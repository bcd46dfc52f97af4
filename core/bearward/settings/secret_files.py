"""Secrets that stand in files, as containers mount them: `BEARWARD_CACHE_SECRET_FILE`, `cache_secret_file`.

Rule of this file: the only place where secrets are read from files. What ends the last line of a file is no part of the
secret. A mistake names the setting and why the file cannot be read, never what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes
from bearward.settings.catalogue import Setting, settings_in
from bearward.settings.document import Document
from bearward.settings.kinds import value_of_variable
from bearward.settings.places import secret_of_file

__all__ = ["file_variables", "read_secret", "secret_variable_paths", "with_secret_variables", "with_secrets"]

_MAX_BYTES = 1 << 16


def with_secret_variables(environ: Mapping[str, Any], mistakes: Mistakes) -> tuple[dict[str, Any], dict[str, str]]:
    """The environment with each `BEARWARD_…_FILE` read, and by variable which of them said it."""
    given, said_by = dict(environ), dict[str, str]()
    for file, name in file_variables(environ):
        path = given.pop(file)
        if _is_set(given.get(name)):
            mistakes.add(ConfigurationError(file, f"must not be set together with {name}"))
            continue
        said_by[name] = file
        with mistakes.collected():
            given[name] = read_secret(file, path.strip() if isinstance(path, str) else path)
    return given, said_by


def file_variables(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each variable that names the file of a secret, and the one that would hold it."""
    for file, path in environ.items():
        name = secret_of_file(file)
        if name is not None and _is_set(path):
            yield file, name


def secret_variable_paths(environ: Mapping[str, Any]) -> list[str]:
    """The files that `with_secret_variables` reads."""
    return [str(environ[file]).strip() for file, _ in file_variables(environ)]


def with_secrets(document: Document, mistakes: Mistakes) -> list[str]:
    """Read each `…_file` of a secret in the document, in place of which it has the secret then; the files' names."""
    paths: list[str] = []
    for of, place, table in document.parts():
        for setting in settings_in(of).values():
            file = f"{setting.name}_file"
            if setting.secret and file in table and setting.kind.schema.get("type") != "array":
                paths += _put_secret(document, table, setting, f"{place}.{setting.name}".removeprefix("."), mistakes)
    return paths


def _put_secret(
    document: Document, table: dict[str, Any], setting: Setting, place: str, mistakes: Mistakes
) -> Iterator[str]:
    path = table.pop(f"{setting.name}_file")
    if setting.name in table:
        mistakes.add(ConfigurationError(f"{place}_file", f"must not be given together with {setting.name}"))
        return
    document.given_as[place] = f"{place}_file"
    with mistakes.collected():
        table[setting.name] = value_of_variable(setting.kind, f"{place}_file", read_secret(f"{place}_file", path))
        yield str(path)


def _is_set(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def read_secret(setting: str, path: object) -> str:
    """The secret in a file; raises `ConfigurationError` naming `setting`."""
    if not isinstance(path, str | PathLike) or not path:
        raise ConfigurationError(setting, "must be the path of a file")
    try:
        with Path(path).open("rb") as file:
            octets = file.read(_MAX_BYTES + 1)
        text = octets.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8, or no such name"
        raise ConfigurationError(setting, f"must be a readable file ({reason})") from None
    if not text or len(octets) > _MAX_BYTES:
        raise ConfigurationError(setting, "must be a file of at most 64 KiB that holds a secret")
    return text
