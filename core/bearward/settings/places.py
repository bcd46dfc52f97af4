"""Where a setting stands: its steps in a document (`issuers`, 0, `keys`, `proxy`), and the variable that names the place.

Rules of this file: pure. A secret anywhere in a document has a variable that is named after its place:
`issuers[0].symmetric_keys[1].secret` is `BEARWARD_ISSUERS_0_SYMMETRIC_KEYS_1_SECRET`; where variables configure one
issuer, `BEARWARD_SYMMETRIC_KEYS_1_SECRET` is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from bearward.settings.catalogue import PREFIX, SETTINGS, VARIABLES, Setting, Table, settings_in
from bearward.settings.kinds import Kind, text

__all__ = ["PROFILE", "Place", "Steps", "name_at", "place_named", "place_of", "secret_of_file", "spelled"]

PROFILE: Final = f"{PREFIX}PROFILE"
_SUFFIX: Final = "_FILE"
Steps = tuple[str | int, ...]

_WITHIN: Final[Mapping[Table, Steps]] = {
    Table.TOP: (),
    Table.ISSUER: ("issuers", 0),
    Table.TENANTS: ("issuers", 0),
    Table.KEYS: ("issuers", 0, "keys"),
    Table.REVOCATIONS: ("revocations",),
    Table.DPOP: ("dpop",),
}
_SECRET: Final = re.compile(
    PREFIX + r"(?:ISSUERS_(?P<issuer>0|[1-9][0-9]{0,2})_)?"
    r"(?:KEYS_(?P<option>HEADERS|PROXY)"
    r"|KEYS_HEADERS_(?P<header>[A-Z0-9_]+)"
    r"|SYMMETRIC_KEYS_(?P<key>0|[1-9][0-9]{0,2})_(?P<secret>SECRET|SECRET_BASE64URL))"
)
_HEADER: Final = text("the value of a header")


class Place(NamedTuple):
    """What a variable sets."""

    steps: Steps
    kind: Kind
    secret: bool
    numbered: bool = False
    """Whether the variable says which issuer it is about."""


def place_of(setting: Setting) -> Steps:
    """The place of a setting that has a variable."""
    return (*_WITHIN[setting.table], setting.name)


def place_named(variable: str) -> Place | None:
    """The place that a variable names; None for one that names none."""
    setting = VARIABLES.get(variable)
    if setting is not None:
        return Place(place_of(setting), setting.kind, setting.secret)
    found = _SECRET.fullmatch(variable)
    if found is None:
        return None
    steps, kind = _within_issuer(found)
    return Place(
        ("issuers", int(found["issuer"] or 0), *steps), kind, secret=True, numbered=found["issuer"] is not None
    )


def secret_of_file(variable: str) -> str | None:
    """The variable that holds the secret whose file this variable names; None for one that names none.

    >>> secret_of_file("BEARWARD_CACHE_SECRET_FILE"), secret_of_file("BEARWARD_CA_FILE")
    ('BEARWARD_CACHE_SECRET', None)
    """
    name = variable.removesuffix(_SUFFIX)
    place = place_named(name) if variable not in VARIABLES and name != variable else None
    return name if place is not None and place.secret else None


def _within_issuer(found: re.Match[str]) -> tuple[Steps, Kind]:
    if found["option"] is not None:
        name = found["option"].lower()
        return ("keys", name), settings_in(Table.KEYS)[name].kind
    if found["header"] is not None:
        return ("keys", "headers", found["header"].lower().replace("_", "-")), _HEADER
    name = found["secret"].lower()
    return ("symmetric_keys", int(found["key"]), name), settings_in(Table.SYMMETRIC_KEYS)[name].kind


def spelled(steps: Steps) -> str:
    """A place as mistakes name it.

    >>> spelled(("issuers", 0, "keys", "proxy"))
    'issuers[0].keys.proxy'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


_VARIABLE_AT: Final[Mapping[str, str]] = {
    spelled(place_of(each)): each.variable for each in SETTINGS if each.variable is not None
}
_STEP: Final = re.compile(r"(?=[.\[])")


def name_at(place: str, given_as: Mapping[str, str], *, by_variables: bool) -> str:
    """What the setting at a place is called where it was given, or would be.

    `given_as` has the names of places that something else than the document's own name said.

    >>> name_at("issuers[0].place.header", {}, by_variables=True)
    'BEARWARD_PLACE.header'
    >>> name_at("cache_secret", {"cache_secret": "cache_secret_file"}, by_variables=False)
    'cache_secret_file'
    """
    names = {**(_names_of_variables(place, several="issuers" in given_as) if by_variables else {}), **given_as}
    parts = _STEP.split(place)
    for end in range(len(parts), 0, -1):
        within = "".join(parts[:end])
        if within in names:
            return names[within] + "".join(parts[end:])
    if not by_variables:
        return place
    argument = place.removeprefix("issuers[0].")
    return f"{PREFIX}{place.upper()}" if argument == place else f"{PROFILE}_{argument.upper()}"


def _names_of_variables(place: str, *, several: bool) -> Mapping[str, str]:
    """The variables by place: one issuer has variables of its own; several are all in one variable."""
    if several:
        return {at: name for at, name in _VARIABLE_AT.items() if not at.startswith("issuers")}
    return {at: name for at, name in _VARIABLE_AT.items() if at != "issuers" or place == at}
