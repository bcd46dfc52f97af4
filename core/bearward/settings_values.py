"""From the text of a variable to a value.

Rules of this file: pure. A reader raises `ValueError`, or what the value's type raises; whoever knows the variable's
name says what it must be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from bearward.credential_place import CredentialPlace

__all__ = [
    "boolean",
    "comma_separated",
    "json_object",
    "names_or_json",
    "number",
    "one_of",
    "place",
    "whole_number",
]


def comma_separated(value: str) -> tuple[str, ...]:
    """Names, each of at least one character."""
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise ValueError
    return names


def number(value: str) -> float:
    """A finite number of digits, with or without a fraction."""
    # float() would take "1_0", "nan" and "infinity" too.
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip(), re.ASCII):
        raise ValueError
    return float(value)


def whole_number(value: str) -> int:
    """A whole number of at most fifteen digits."""
    if not re.fullmatch(r"[0-9]{1,15}", value.strip(), re.ASCII):
        raise ValueError
    return int(value)


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of these words, in any case."""

    def read(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError
        return word

    return read


def boolean(value: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(value) == "true"


def json_object(value: str) -> dict[str, Any]:
    """A JSON object."""
    found = json.loads(value)
    if not isinstance(found, dict):
        raise ValueError
    return found


def names_or_json(value: str) -> Any:
    """Names separated by commas, or a JSON array."""
    return json.loads(value) if value.lstrip().startswith("[") else comma_separated(value)


def place(value: str) -> CredentialPlace:
    """Where tokens are carried, from a JSON object."""
    found = json_object(value)
    if not found.keys() <= {field.name for field in fields(CredentialPlace)}:
        raise ValueError
    return CredentialPlace(**found)
