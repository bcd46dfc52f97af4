"""One JSON object, strictly (RFC 8259 as RFC 7515 section 4 and RFC 7519 section 4 narrow it).

Rule of this file: what two parsers could read differently is refused. So: UTF-8 without a byte order mark, no lone
surrogates, no duplicate members, no NaN or Infinity, no number beyond what a float or 64 digits hold, bounded depth
and a bounded number of containers.

msgspec parses most documents: it is as strict as this in everything but duplicate members, depth and digits. Those
three are excluded by cheap counts over the bytes; a document that the counts cannot clear goes to the slower parser
of the standard library, which looks at each member. Both answer alike (a property test holds them to it).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

__all__ = ["HEADER_LIMITS", "JWKS_LIMITS", "PAYLOAD_LIMITS", "JSONLimits", "parse_object", "parse_object_slowly"]

_MAX_INTEGER = 10**64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class JSONLimits:
    """How deep a document may nest, and how many objects and arrays it may hold."""

    depth: int
    containers: int


HEADER_LIMITS = JSONLimits(depth=8, containers=32)
PAYLOAD_LIMITS = JSONLimits(depth=16, containers=1024)
JWKS_LIMITS = JSONLimits(depth=8, containers=4096)


def parse_object(raw: bytes, limits: JSONLimits) -> dict[str, Any]:
    """Parse `raw` as one JSON object; raise `ValueError` (never with text of `raw`) for anything else.

    >>> parse_object(b'{"a": [1]}', HEADER_LIMITS)
    {'a': [1]}
    >>> parse_object(b'{"a": 1, "a": 2}', HEADER_LIMITS)
    Traceback (most recent call last):
        ...
    ValueError: not one strict JSON object
    """
    # No escapes and no white space behind a quote: then `":` stands behind every member name, and elsewhere only at
    # the start of a string. Its count is at least the true number of members, which is at least the number that
    # survives in the parsed value: equal counts prove that no member was there twice.
    if b"\\" in raw or b'" ' in raw or b'"\n' in raw or b'"\t' in raw or b'"\r' in raw:
        return parse_object_slowly(raw, limits)
    openers = raw.count(b"{") + raw.count(b"[")
    if openers > limits.depth:  # brackets inside strings count too: the slow path tells them apart
        return parse_object_slowly(raw, limits)
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ValueError("not one strict JSON object") from None
    if type(value) is not dict:
        raise ValueError("not one strict JSON object")
    if raw.count(b'":') != _members(value):
        return parse_object_slowly(raw, limits)
    return value


def parse_object_slowly(raw: bytes, limits: JSONLimits) -> dict[str, Any]:
    """The same verdict as `parse_object`, by a parser that looks at each member."""
    _check_nesting(raw, limits)
    try:
        value = _SLOW.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            _refuse_surrogates(value)
    except (ValueError, RecursionError, OverflowError):
        raise ValueError("not one strict JSON object") from None
    if type(value) is not dict:
        raise ValueError("not one strict JSON object")
    return value


def _members(value: dict[str, Any]) -> int:
    """How many members the parsed value holds, in all its objects; raises where a number is too long."""
    count = len(value)
    for item in value.values():
        kind = type(item)
        if kind is str:
            continue
        if kind is dict:
            count += _members(item)
        elif kind is list:
            count += _members_of_array(item)
        elif kind is int and not -_MAX_INTEGER < item < _MAX_INTEGER:
            raise ValueError("not one strict JSON object")
    return count


def _members_of_array(array: list[Any]) -> int:
    return _members(dict(enumerate(array))) - len(array)  # type: ignore[arg-type]


def _check_nesting(raw: bytes, limits: JSONLimits) -> None:
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    if len(brackets) > 2 * limits.containers:
        raise ValueError("not one strict JSON object")
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise ValueError("not one strict JSON object")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _integer(digits: str) -> int:
    number = int(digits)
    if not -_MAX_INTEGER < number < _MAX_INTEGER:
        raise ValueError("too many digits")
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if number - number != 0:  # infinity: the number is beyond a double
        raise ValueError("out of range")
    return number


def _constant(name: str) -> float:
    raise ValueError("NaN and Infinity are no JSON")


def _refuse_surrogates(value: Any) -> None:
    """A lone surrogate is no Unicode scalar value: encoding it fails (RFC 8259 section 8.2)."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for name, item in value.items():
            name.encode("utf-8")
            _refuse_surrogates(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_surrogates(item)


_SLOW = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
