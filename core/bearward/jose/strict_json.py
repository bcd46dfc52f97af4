"""One JSON object, strictly (RFC 8259 as RFC 7515 section 4 and RFC 7519 section 4 narrow it).

Rule of this file: whatever two parsers could read differently is refused. So: UTF-8 without a byte order mark, no lone
surrogates, no duplicate members, no NaN or Infinity, no fraction beyond a double and no integer of more than 4300
characters (or fewer, if the interpreter is configured so), bounded depth, a bounded number of containers and of commas.

msgspec parses most documents: it is as strict as this in everything but duplicate members and depth. The parsed value
is serialized again, and must be of as many strings as the document: a member that occurred twice would have lost a name.
That needs no second look at the text, so white space, escapes and fractions like 1.0 cost next to nothing. What is left
to the slower parser of the standard library, which checks each member: integers beyond 64 bits, many numbers that are
expensive to read, and whatever was refused for its members. A property test checks that both give the same result.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

import msgspec

__all__ = [
    "HEADER_LIMITS",
    "JWKS_LIMITS",
    "PAYLOAD_LIMITS",
    "JSONLimits",
    "parse_object",
    "parse_object_reference",
    "parse_value",
]

_MAX_DIGITS = 4300  # sign included; msgspec's own bound, which no interpreter option moves
# A string without an end reaches to the end: each octet is looked at once, whatever the text.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![0-9])[0-9]{%d}" % _MAX_DIGITS)
# msgspec takes 8 us for a number like 1e300, and 17 for one of 200 digits with such an exponent: up to forty times what
# the slower parser takes. A number of fewer digits, and without an exponent, takes a tenth of one.
_MAX_NUMBERS = 32
_UNCOUNTED_MAX_BYTES = 448  # octets: too few for many such numbers or too many commas, and counting is not free
_DIGITS = bytes(ord("0") if chr(octet) in "0123456789." else ord(chr(octet).lower()) for octet in range(128))
_DIGITS += bytes(range(128, 256))  # no character of a number
_MANY_DIGITS = b"0" * 20
# A parser that recurses until it fails lets the garbage collector run there, and finalizers of anybody's then fail with
# RecursionError. What has no more brackets than this cannot nest so deep.
_MAX_BRACKETS = 128
_WHITE_SPACE = b" \t\n\r"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
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
    openers = raw.count(b"{") + raw.count(b"[")
    if openers > _MAX_BRACKETS:
        _check_nesting(raw, limits)
    if len(raw) < _UNCOUNTED_MAX_BYTES or raw.count(b",") < _MAX_NUMBERS or _is_cheap(raw, limits):
        try:
            value = _decode(raw)
            text = _encode(value)
        except OverflowError:  # an integer beyond 64 bits is read, but not written
            return parse_object_reference(raw, limits)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ValueError("not one strict JSON object") from None
        if (text == raw or _string_marks(text) == _string_marks(raw)) and _is_within(value, raw, openers, limits):
            return value
    return parse_object_reference(raw, limits)


def _is_cheap(raw: bytes, limits: JSONLimits) -> bool:
    """Whether the document has few commas, and few numbers that are expensive to read, or few at all."""
    if raw.count(b",") > limits.commas:
        return False
    zeros = raw.translate(_DIGITS)
    expensive = zeros.count(b"0e") + zeros.count(_MANY_DIGITS)
    return expensive <= _MAX_NUMBERS or _has_few_numbers(raw.translate(None, _WHITE_SPACE))


def _has_few_numbers(dense: bytes) -> bool:
    """Whether few members and elements begin without a quote, as each number does; all but one stand at a comma."""
    return dense.count(b",") - dense.count(b',"') + dense.count(b'":') - dense.count(b'":"') <= _MAX_NUMBERS


def _without_escaped_quotes(text: bytes) -> bytes:
    """A JSON text without the quotes that are characters: each that is left opens or closes a string.

    In a run of backslashes each two are one character, and only one that is left escapes what follows.
    """
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text


def _string_marks(text: bytes) -> int:
    """How many quotes open or close a string: two for each string of a JSON text, however it is written."""
    return _without_escaped_quotes(text).count(b'"')


def _is_within(value: Any, raw: bytes, openers: int, limits: JSONLimits) -> TypeGuard[dict[str, Any]]:
    """Whether what `raw` was parsed to is an object that nests no deeper, and has no more parts, than allowed."""
    if type(value) is not dict:
        return False
    if openers <= limits.depth:  # too few to nest too deep, those in strings included
        return True
    outside_strings = b"".join(_without_escaped_quotes(raw).split(b'"')[::2])
    brackets = outside_strings.translate(_SQUARE, _NO_BRACKETS)
    depth = 0
    while brackets and depth < limits.depth and len(brackets) <= 2 * limits.containers:
        brackets, depth = brackets.replace(b"[]", b""), depth + 1  # without the innermost level
    return not brackets


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


def parse_value(text: str) -> Any:
    """Any JSON value of a text that the operator wrote: as strict about members and numbers, and without bounds.

    >>> parse_value('[{"a": 1}]')
    [{'a': 1}]

    Raises:
        ValueError: it is none; the error may show the text.
        RecursionError: it nests too deep.
    """
    return _STRICT.decode(text)


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
