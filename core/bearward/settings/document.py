"""The tables that a file holds, or that variables come to, and under which name each part of them was given.

Rule of this file: pure. What is put into a document replaces what the file says there, in whatever form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bearward.errors import ConfigurationError
from bearward.mistakes import renamed
from bearward.settings.catalogue import Table
from bearward.settings.places import Steps, name_at, spelled

__all__ = ["Document"]

_SAME_SECRET = ("secret", "secret_base64url")


class Document:
    """Tables, by the names that a file has, with the names under which they were given."""

    def __init__(self, tables: dict[str, Any], *, by_variables: bool = False) -> None:
        self.tables = tables
        self.by_variables = by_variables
        self.given_as: dict[str, str] = {}
        """By place: the name of what said it, where that is another than the place's own."""

    def put(self, steps: Steps, value: Any, name: str) -> None:
        """Have `value` at this place, as `name` says; raises `ConfigurationError` where there is no such place."""
        held = self._cleared(steps, name)
        if held is not None:
            table, key = held
            table[key] = value

    def leave_out(self, steps: Steps, name: str) -> None:
        """Have nothing at this place: `name` was to say it, and cannot. Raises `ConfigurationError` as `put` does."""
        held = self._cleared(steps, name)
        if held is not None:
            table, key = held
            table.pop(key, None)

    def _cleared(self, steps: Steps, name: str) -> tuple[dict[str, Any], str] | None:
        """The table that has this place, without other forms of the same, and the key there."""
        table, last = self._table(steps, name)
        if table is None:
            return None  # a value of another kind stands there, and is a mistake by itself
        is_header = steps[-2:-1] == ("headers",)
        key = _same_header(table, last) if is_header else last
        for other in () if is_header else _other_forms(key):
            at = spelled((*steps[:-1], other))
            if at not in self.given_as:
                table.pop(other, None)
                self.given_as[at] = name
        self.given_as[spelled((*steps[:-1], key))] = name
        return table, key

    def _table(self, steps: Steps, name: str) -> tuple[dict[str, Any] | None, str]:
        """The table that holds what these steps lead to, made where there is none."""
        *way, last = steps
        held: Any = self.tables
        for before, step, following in zip((None, *way), way, steps[1:], strict=False):
            if isinstance(step, int):
                held = _numbered(held, step, name, grows=before == "symmetric_keys")
            elif isinstance(held, dict):
                held = held.setdefault(step, [] if isinstance(following, int) else {})
            else:
                return None, str(last)
        return held if isinstance(held, dict) else None, str(last)

    def parts(self) -> Iterator[tuple[Table, str, dict[str, Any]]]:
        """Each table that settings stand in, with its place."""
        yield Table.TOP, "", self.tables
        for name, of in (("revocations", Table.REVOCATIONS), ("dpop", Table.DPOP)):
            if isinstance(self.tables.get(name), dict):
                yield of, name, self.tables[name]
        for number, issuer in _tables(self.tables.get("issuers")):
            place = f"issuers[{number}]"
            yield Table.TENANTS if "template" in issuer else Table.ISSUER, place, issuer
            for name, of in (("keys", Table.KEYS), ("place", Table.PLACE)):
                if isinstance(issuer.get(name), dict):
                    yield of, f"{place}.{name}", issuer[name]
            for index, key in _tables(issuer.get("symmetric_keys")):
                yield Table.SYMMETRIC_KEYS, f"{place}.symmetric_keys[{index}]", key

    def named(self, error: ConfigurationError) -> ConfigurationError:
        """The same mistakes, under the names that were given."""
        return renamed(error, lambda place: name_at(place, self.given_as, by_variables=self.by_variables))


def _tables(several: object) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(several, list):
        yield from ((number, each) for number, each in enumerate(several) if isinstance(each, dict))


def _numbered(several: Any, number: int, name: str, *, grows: bool) -> Any:
    if not isinstance(several, list):
        return None
    if number == len(several) and grows:
        several.append({})
    if number >= len(several):
        raise ConfigurationError(name, f"must have the number of one that there is: {len(several)} are, counted from 0")
    return several[number]


def _other_forms(name: str) -> set[str]:
    """What else says the same."""
    names = _SAME_SECRET if name in _SAME_SECRET else (name,)
    return {form for each in names for form in (each, f"{each}_file")} - {name}


def _same_header(headers: Mapping[str, Any], name: str) -> str:
    """The header of that name, as the document spells it (RFC 9110 section 5.1: names have no case)."""
    return next((each for each in headers if re.sub("[^a-z0-9]", "-", each.lower()) == name), name)
