"""Secrets that stand in files, as containers mount them: `BEARWARD_CACHE_SECRET_FILE`, `cache_secret_file`.

Rule of this file: the only place where secrets are read from files. What ends the last line of a file is no part of the
secret. An error names the setting and why the file cannot be read, never what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bearward.errors import ConfigurationError
from bearward.settings_environment import SECRET_FILES

__all__ = ["secret_paths", "secret_variable_paths", "with_secret_variables", "with_secrets"]

_MAX_BYTES = 1 << 16
_IN_TABLES = {f"{name}_file": name for name in ("cache_secret", "secret", "secret_base64url")}


def with_secret_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with each `BEARWARD_…_FILE` read; raises `ConfigurationError` naming the variable."""
    given = dict(environ)
    for file, name in SECRET_FILES.items():
        path = given.pop(file, "").strip()
        if not path:
            continue
        if given.get(name, "").strip():
            raise ConfigurationError(file, f"must not be set together with {name}")
        given[name] = _secret(file, path)
    return given


def with_secrets(document: dict[str, Any], place: str = "") -> dict[str, Any]:
    """The tables of a configuration file with each `…_file` of a secret read; raises `ConfigurationError` naming it."""
    return {name: value for key, item in document.items() for name, value in [_with_secret(document, place, key, item)]}


def secret_variable_paths(environ: Mapping[str, str]) -> list[str]:
    """The files that `with_secret_variables` reads."""
    return [path for file in SECRET_FILES if (path := environ.get(file, "").strip())]


def secret_paths(document: Any) -> list[str]:
    """The files that `with_secrets` reads."""
    if isinstance(document, list):
        return [path for item in document for path in secret_paths(item)]
    if not isinstance(document, Mapping):
        return []
    own = [path for name in _IN_TABLES if isinstance(path := document.get(name), str)]
    return own + [path for item in document.values() for path in secret_paths(item)]


def _with_secret(table: Mapping[str, Any], place: str, key: str, item: Any) -> tuple[str, Any]:
    at = f"{place}.{key}" if place else key
    if isinstance(item, dict):
        return key, with_secrets(item, at)
    if isinstance(item, list):
        numbered = enumerate(item)
        return key, [with_secrets(each, f"{at}[{i}]") if isinstance(each, dict) else each for i, each in numbered]
    name = _IN_TABLES.get(key)
    if name is None:
        return key, item
    if name in table:
        raise ConfigurationError(at, f"must not be given together with {name}")
    return name, _secret(at, item)


def _secret(setting: str, path: object) -> str:
    if not isinstance(path, str) or not path:
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
