"""One JSON object, strictly (RFC 8259 as RFC 7515 section 4 and RFC 7519 section 4 narrow it).

Rule of this file: whatever two parsers could read differently is refused. So: UTF-8 without a byte order mark, no lone
surrogates, no duplicate members, no NaN or Infinity, no fraction beyond a double and no integer of more than 4300
characters (or fewer, if the interpreter is configured so), bounded depth, a bounded number of containers and of commas.

msgspec parses most documents: it is as strict as this in everything but duplicate members and depth. The parsed value
is serialized again: if that gives exactly the same octets, no member can have occurred twice. A document that is
written differently (with white space, with escapes, with a fraction like 1.0) goes to the slower parser of the standard
library, which checks each member. A property test checks that both give the same result.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

__all__ = ["HEADER_LIMITS", "JWKS_LIMITS", "PAYLOAD_LIMITS", "JSONLimits", "parse_object", "parse_object_reference"]

_MAX_DIGITS = 4300  # sign included; msgspec's own bound, which no interpreter option moves
# A string without an end reaches to the end: each octet is looked at once, whatever the text.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![0-9])[0-9]{%d}" % _MAX_DIGITS)
# msgspec takes 8 us for a number like 1e300, and 17 for one of 200 digits with such an exponent: up to forty times what
# the slower parser takes.
_MAX_NUMBERS = 32
_FAST_PATH_MAX_BYTES = 448  # octets: too few for many such numbers or too many commas, and counting is not free
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class JSONLimits:
    """How deep a document may nest, and how many objects and arrays it may hold, and commas between their members."""

    depth: int
    containers: int
    commas: int = 16_384


HEADER_LIMITS = JSONLimits(depth=8, containers=32, commas=256)
PAYLOAD_LIMITS = JSONLimits(depth=16, containers=1024, commas=1536)
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
    if len(raw) < _FAST_PATH_MAX_BYTES or raw.count(b",") < _MAX_NUMBERS or _has_few_numbers(raw, limits):
        value: Any = None
        try:
            value = _decode(raw)
            canonical = _encode(value) == raw
        except OverflowError:  # an integer beyond 64 bits is read, but not written
            canonical = False
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ValueError("not one strict JSON object") from None
        # Brackets, those within strings included, that are too few to nest too deep.
        if canonical and type(value) is dict and raw.count(b"{") + raw.count(b"[") <= limits.depth:
            return value
    return parse_object_reference(raw, limits)


def _has_few_numbers(raw: bytes, limits: JSONLimits) -> bool:
    """Whether few members and elements begin without a quote, as each number does; all but one stand at a comma."""
    commas = raw.count(b",")
    few = commas - raw.count(b',"') + raw.count(b'":') - raw.count(b'":"') <= _MAX_NUMBERS
    return few and commas <= limits.commas


def parse_object_reference(raw: bytes, limits: JSONLimits) -> dict[str, Any]:
    """The same verdict as `parse_object`, by a parser that looks at each member."""
    _check_nesting(raw, limits)
    try:
        decoder = _DIGIT_LIMITED if _LONG_INTEGER.search(raw) else _STRICT
        value = decoder.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            _refuse_surrogates(value)
    except (ValueError, RecursionError, OverflowError):
        raise ValueError("not one strict JSON object") from None
    if type(value) is not dict:
        raise ValueError("not one strict JSON object")
    return value


def _check_nesting(raw: bytes, limits: JSONLimits) -> None:
    structure = _STRING.sub(b"", raw).translate(None, _NO_STRUCTURE)
    brackets = structure.replace(b",", b"")
    if len(brackets) > 2 * limits.containers or len(structure) - len(brackets) > limits.commas:
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
    if len(digits) > _MAX_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if number - number != 0:  # infinity: the number is beyond a double
        raise ValueError("out of range")
    return number


def _constant(_: str) -> float:
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


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_fraction, parse_constant=_constant)
_DIGIT_LIMITED = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
