"""The kinds of values that settings have: how one is written in a variable, and what it is in a file.

Rules of this file: pure. `read` makes of the text of a variable what a file would hold. A mistake says what the value must
be and the nearest valid form, and never shows the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from bearward.errors import ConfigurationError
from bearward.jose.strict_json import parse_value

__all__ = [
    "FLAG",
    "SWITCH",
    "Kind",
    "array",
    "count",
    "names",
    "names_or_paths",
    "number",
    "path",
    "table",
    "text",
    "value_of_variable",
    "word",
    "wrong_value",
]

_STRING: Final[Mapping[str, Any]] = {"type": "string"}
_ARRAY: Final[Mapping[str, Any]] = {"type": "array"}
_STRINGS: Final[Mapping[str, Any]] = {"anyOf": [_STRING, {**_ARRAY, "items": _STRING}]}
_YES: Final = frozenset({"1", "enable", "enabled", "on", "t", "y", "yes"})
_NO: Final = frozenset({"0", "disable", "disabled", "f", "n", "no", "off"})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    must: str
    """What a value must be, in words that follow "must be"."""
    read: Callable[[str], Any] = field(repr=False)
    """From the text of a variable; raises `ValueError`."""
    fits: Callable[[Any], bool] = field(repr=False)
    """Whether a value that is no text, from a file or an application's configuration, is of this kind."""
    schema: Mapping[str, Any] = field(hash=False)
    """As JSON Schema says it."""
    near: Callable[[Any], str] = field(default=lambda _value: "", repr=False)
    """The nearest valid form, in words that follow the others."""
    words: tuple[str, ...] = ()
    """All values, where they can be listed."""
    judged: bool = False
    """Whether a file's value is judged by `fits`; if not, what is made of it checks it."""


def value_of_variable(kind: Kind, name: str, value: object) -> Any:
    """What the variable `name` says; raises `ConfigurationError`."""
    try:
        if isinstance(value, str):
            return kind.read(value)
        if kind.fits(value):
            return list(value) if isinstance(value, set | frozenset | tuple) else value
    except (ValueError, RecursionError):
        pass
    raise wrong_value(kind, name, value)


def wrong_value(kind: Kind, name: str, value: object) -> ConfigurationError:
    """The mistake of a value that is not of this kind."""
    return ConfigurationError(name, f"must be {kind.must}{kind.near(value)}")


def text(must: str) -> Kind:
    """A string; what is made of it checks it."""
    return Kind(must, str, _is_text, _STRING, _near_text)


def path(must: str) -> Kind:
    """The name of a file."""
    return Kind(must, str, lambda value: isinstance(value, str) or hasattr(value, "__fspath__"), _STRING, _near_text)


def names(must: str, *, words: Collection[str] = ()) -> Kind:
    """One name or several: in a variable separated by commas, or a JSON array, which may hold any string."""
    one: Mapping[str, Any] = {"enum": [*words]} if words else _STRING
    return Kind(must, _names, _are_names, {"anyOf": [one, {**_ARRAY, "items": one}]}, _near_names)


def names_or_paths(must: str) -> Kind:
    """The same, of which each may be an array of names or a table, too."""
    schema = {"anyOf": [_STRING, _ARRAY]}
    return Kind(must, _names_or_json, lambda value: isinstance(value, list | tuple), schema, _near_names)


def number(must: str, *, least: float | None = None, most: float | None = None) -> Kind:
    """A number, of seconds mostly; what is made of it checks its bounds."""
    bounds = {name: bound for name, bound in (("minimum", least), ("maximum", most)) if bound is not None}
    return Kind(must, _number, _is_number, {"type": "number", **bounds}, _near_number, judged=True)


def count(must: str, *, least: int = 0, most: int | None = None) -> Kind:
    """A whole number."""
    schema = {"type": "integer", "minimum": least, **({} if most is None else {"maximum": most})}
    return Kind(must, _whole_number, _is_whole, schema, _near_number, judged=True)


def word(*several: str) -> Kind:
    """One of these words; in a variable in any case."""
    words = tuple(str(each) for each in several)
    must = f"{', '.join(words[:-1])} or {words[-1]}"

    def read(value: str) -> str:
        found = value.strip().lower()
        if found not in words:
            raise ValueError
        return found

    def near(value: object) -> str:
        return _meant(value, words)

    return Kind(must, read, lambda value: value in words, {"enum": [*words]}, near, words=words, judged=True)


def table(must: str) -> Kind:
    """A table: in a variable a JSON object."""
    return Kind(must, _json(dict), lambda value: isinstance(value, Mapping), {"type": "object"}, _near_json)


def array(must: str) -> Kind:
    """An array of tables: in a variable a JSON array."""
    return Kind(must, _json(list), lambda value: isinstance(value, list | tuple), _ARRAY, _near_json)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(name, str) for name in value)


def _names(value: str) -> list[str]:
    found = _names_or_json(value)
    if not all(isinstance(name, str) for name in found):
        raise ValueError
    return found


def _names_or_json(value: str) -> list[Any]:
    if value.lstrip().startswith("["):
        found: list[Any] = parse_value(value)
        return found
    separated = [name.strip() for name in value.split(",")]
    if not all(separated):
        raise ValueError
    return separated


def _number(value: str) -> float:
    # float() would take "1_0", "nan" and "infinity" too.
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip(), re.ASCII):
        raise ValueError
    return float(value)


def _whole_number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", value.strip(), re.ASCII):
        raise ValueError
    return int(value)


def _json(kind: type) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        found = parse_value(value)
        if not isinstance(found, kind):
            raise ValueError
        return found

    return read


def _switch(value: str) -> bool:
    if value.strip().lower() not in ("on", "off"):
        raise ValueError
    return value.strip().lower() == "on"


def _flag(value: str) -> bool:
    if value.strip().lower() not in ("true", "false"):
        raise ValueError
    return value.strip().lower() == "true"


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _meant(value: object, words: Collection[str]) -> str:
    """The nearest of these words; a yes or no is taken for whichever of them says the same."""
    said = str(value).strip().lower()
    for same, meant in ((_YES | {"true"}, ("true", "on")), (_NO | {"false"}, ("false", "off"))):
        if said in same:
            said = next((candidate for candidate in meant if candidate in words), said)
    near = get_close_matches(said, words, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _near_text(value: object) -> str:
    return "; it must be a string, in quotes" if not isinstance(value, str) else ""


def _near_names(value: object) -> str:
    if isinstance(value, str):
        return ', such as a,b, or a JSON array, such as ["a", "b"]'
    return ', such as ["a", "b"]: strings, in quotes'


def _near_number(value: object) -> str:
    return ", such as 5: digits, without a unit" if isinstance(value, str) else ""


def _near_json(value: object) -> str:
    return ", with names in double quotes" if isinstance(value, str) else ""


FLAG: Final = Kind(
    "true or false", _flag, _is_flag, {"type": "boolean"}, lambda value: _meant(value, ("true", "false")), judged=True
)
SWITCH: Final = Kind(
    "on or off", _switch, _is_flag, {"type": "boolean"}, lambda value: _meant(value, ("on", "off")), judged=True
)
"""A flag whose variable is `on` or `off`, and `true` or `false` in a file."""
