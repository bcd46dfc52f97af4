"""From a document to the arguments of `Settings`: whatever is wrong is collected, and left out.

Rules of this file: pure. The names are those of the list of settings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from bearward.mistakes import Mistakes
from bearward.profiles.by_name import Trusted
from bearward.settings.catalogue import Table, names_in
from bearward.settings.issuers import numbered_issuers
from bearward.settings.tables import (
    dpop_table,
    fitting,
    read_each,
    reject_placeholders,
    reject_unknown,
    secret_value,
    shared_revocations,
    string_value,
)

__all__ = ["check_names", "issuers_of", "values_of"]

_TABLES = ("dpop", "revocations")
_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "cache": string_value,
    "cache_secret": secret_value,
    "revocations": lambda _, table: shared_revocations(table),
    "dpop": lambda _, table: dpop_table(table),
}


def check_names(document: Mapping[str, Any], extra_names: Collection[str], mistakes: Mistakes) -> None:
    """What can be said of a document as a whole: no unknown name at its top level, and no placeholder in it."""
    with mistakes.collected():
        reject_unknown(document, {*names_in(Table.TOP), *_TABLES, *extra_names})
    with mistakes.collected():
        reject_placeholders("", dict(document))


def issuers_of(document: Mapping[str, Any], mistakes: Mistakes) -> tuple[tuple[int, Trusted], ...]:
    """The issuers, each with the number of its table; none if one of them is wrong."""
    with mistakes.collected():
        return numbered_issuers(document.get("issuers", []))
    return ()


def values_of(document: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """The values of the other settings at the top level, without a program's own."""
    own = names_in(Table.TOP) - {"issuers"}
    values = fitting({name: document[name] for name in own & document.keys()}, Table.TOP, mistakes=mistakes)
    values |= {name: document[name] for name in _TABLES if name in document}
    read_each(_READERS, values, mistakes)
    return values
