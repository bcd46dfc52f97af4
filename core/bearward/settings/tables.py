"""Reading tables, whatever they are about: unknown names, placeholders, kinds of values; and `[revocations]` and `[dpop]`.

Rules of this file: pure. A wrong kind or an unknown name is a `ConfigurationError` that says where and, where there is one,
the nearest valid form. A `${…}` that nobody replaced is no value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes, hint, renamed
from bearward.settings.catalogue import Table, settings_in
from bearward.settings.kinds import wrong_value

__all__ = [
    "array_of_tables",
    "dpop_table",
    "error_context",
    "fitting",
    "read_each",
    "reject_placeholder",
    "reject_placeholders",
    "reject_unknown",
    "secret_value",
    "shared_revocations",
    "string_value",
    "table_value",
]

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


@contextmanager
def error_context(place: str) -> Iterator[None]:
    """Name settings by where they stand: `audience` becomes `issuers[0].audience`."""
    try:
        yield
    except ConfigurationError as error:
        raise renamed(error, lambda setting: f"{place}.{setting}") from None


def reject_unknown(table: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise ConfigurationError for the names that are no settings: a misspelt one must not go unnoticed."""
    mistakes = Mistakes()
    for name in table:
        if name not in known:
            mistakes.add(ConfigurationError(name, f"is not a setting here; {hint(name, known)}"))
    mistakes.raise_any()


def reject_placeholder(name: str, value: object) -> None:
    """Raise ConfigurationError for a string with `${…}`, which a template engine or a shell should have replaced."""
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        raise ConfigurationError(name, "must not hold a placeholder that was not filled in: ${…}")


def reject_placeholders(name: str, value: object) -> None:
    """The same for everything in a table or an array, naming each place."""
    mistakes = Mistakes()
    with mistakes.collected():
        reject_placeholder(name, value)
    if isinstance(value, dict):
        for key, item in value.items():
            with mistakes.collected():
                reject_placeholders(f"{name}.{key}" if name else key, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            with mistakes.collected():
                reject_placeholders(f"{name}[{index}]", item)
    mistakes.raise_any()


def string_value(name: str, value: object) -> str:
    """The value of `name`, which must be a string."""
    if not isinstance(value, str):
        raise ConfigurationError(name, "must be a string")
    return value


def secret_value(name: str, value: object) -> bytes:
    """The octets of the secret `name`, which must be a string."""
    try:
        return string_value(name, value).encode()
    except UnicodeEncodeError:  # an octet that is no UTF-8 comes out of the environment as a lone surrogate
        raise ConfigurationError(name, "must be text in UTF-8") from None


def table_value(name: str, value: object) -> dict[str, Any]:
    """The value of `name`, which must be a table."""
    if not isinstance(value, dict):
        raise ConfigurationError(name, "must be a table")
    return value


def array_of_tables(name: str, value: object) -> list[dict[str, Any]]:
    """The value of `name`, which must be an array of tables."""
    if not isinstance(value, list | tuple):
        raise ConfigurationError(name, "must be an array of tables")
    return [table_value(f"{name}[{index}]", item) for index, item in enumerate(value)]


def fitting(table: Mapping[str, Any], *tables: Table, mistakes: Mistakes) -> dict[str, Any]:
    """What of a table has known names and values of their kinds; the rest goes to `mistakes`."""
    known = settings_in(*tables)
    with mistakes.collected():
        reject_unknown(table, known)
    values: dict[str, Any] = {}
    for name in table.keys() & known.keys():
        kind = known[name].kind
        if kind.judged and not kind.fits(table[name]):
            mistakes.add(wrong_value(kind, name, table[name]))
        else:
            values[name] = table[name]
    return {name: values[name] for name in table if name in values}


def shared_revocations(value: object) -> dict[str, Any]:
    """What the table `[revocations]` gives to `SharedRevocations`, which checks the values itself."""
    table, mistakes = table_value("revocations", value), Mistakes()
    with error_context("revocations"):
        values = fitting(table, Table.REVOCATIONS, mistakes=mistakes)
        if "on_failure" not in table:
            mistakes.add(ConfigurationError("on_failure", "must be set: refuse or accept"))
        read_each({"cache": string_value, "cache_secret": secret_value}, values, mistakes)
        mistakes.raise_any()
    return values


def dpop_table(value: object) -> dict[str, Any]:
    """What the table `[dpop]` says; `bearward.settings.dpop` judges the values."""
    table, mistakes = table_value("dpop", value), Mistakes()
    with error_context("dpop"):
        values = fitting(table, Table.DPOP, mistakes=mistakes)
        origins = values.get("origins", ())
        if not isinstance(origins, str | list | tuple) or any(not isinstance(origin, str) for origin in origins):
            mistakes.add(ConfigurationError("origins", "must be an array of strings, such as https://api.example"))
        read_each({"prefix": string_value, "nonce_secret": secret_value}, values, mistakes)
        mistakes.raise_any()
    return values


def read_each(readers: Mapping[str, Callable[[str, object], Any]], values: dict[str, Any], mistakes: Mistakes) -> None:
    """Have each value read by its reader; what is wrong is left out."""
    for name, read in readers.items():
        if name in values:
            given = values.pop(name)
            with mistakes.collected():
                values[name] = read(name, given)
