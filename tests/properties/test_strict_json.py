"""The two JSON parsers of the core answer alike, whatever the bytes.

The fast one is trusted by nobody: every property here compares it with the slow one, and the slow one with rules that
are written down anew.
"""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bearward.jose.strict_json import (
    HEADER_LIMITS,
    JWKS_LIMITS,
    PAYLOAD_LIMITS,
    JSONLimits,
    parse_object,
    parse_object_reference,
)
from tests.properties.json_bytes import documents, json_texts, names
from tests.properties.profiles import examples

LIMITS = st.sampled_from(
    [HEADER_LIMITS, PAYLOAD_LIMITS, JWKS_LIMITS, JSONLimits(depth=3, containers=4), JSONLimits(depth=1, containers=1)]
)

REFUSED = "refused"


def verdict(parse: Any, raw: bytes, limits: JSONLimits) -> Any:
    """What a parser says, in a form in which 1, 1.0, True and the order of members differ."""
    try:
        return repr(parse(raw, limits))
    except ValueError as error:
        assert error.args == ("not one strict JSON object",), "the text of the input must not be in the error"
        return REFUSED


@examples(400)
@given(documents, LIMITS)
@example(b'{"a":":","b":1,"b":2}', HEADER_LIMITS)
@example(b'{"a":1,"\\u0061":2}', HEADER_LIMITS)
@example(b'{"a":[{"b":1,"b":2}]}', HEADER_LIMITS)
@example(b'{"a" :1,"a":2}', HEADER_LIMITS)
@example(b'{"":1,"":2}', HEADER_LIMITS)
@example(b'{":":":",":":1}', HEADER_LIMITS)
@example(rb'{"a":"\\","a":"\\\""}', HEADER_LIMITS)
@example(rb'{"a":"\u0022","a":"\u005c\u0022"}', HEADER_LIMITS)
@example(rb'{"\\":"\\\\\"","\"":1, "\u005c":2}', HEADER_LIMITS)
@example(b'{"a":["[","[","[","]","]","]",[[[["]"]]]]]}', JSONLimits(depth=5, containers=32))
@example(b'{"a":["]",["]",["]",["]",["[","[","[","["]]]]]}', JSONLimits(depth=5, containers=32))
@example(b'{"a":1e400}', PAYLOAD_LIMITS)
@example(b'{"a":[' + b"9" * 4300 + b"]}", PAYLOAD_LIMITS)
@example(b'{"a":-' + b"9" * 4299 + b"}", PAYLOAD_LIMITS)
@example(b'{"a":-' + b"9" * 4300 + b"}", PAYLOAD_LIMITS)
@example(b'{"a":0.' + b"3" * 5000 + b"}", PAYLOAD_LIMITS)
@example(b'{"a":1' + b"0" * 5000 + b"e-5000}", PAYLOAD_LIMITS)
@example(b'{"a":-0}', PAYLOAD_LIMITS)
@example(b'{"a":"\xed\xa0\x80"}', PAYLOAD_LIMITS)
def test_both_parsers_give_the_same_verdict_and_value(raw: bytes, limits: JSONLimits) -> None:
    """The shortcut never accepts what the thorough parser refuses, nor reads it differently."""
    assert verdict(parse_object, raw, limits) == verdict(parse_object_reference, raw, limits)


def _pairs(pairs: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    return ("object", pairs)


def _lawful(value: Any, depth: int) -> bool:
    """The rules of strict JSON over a value in which objects are kept as lists of pairs."""
    if isinstance(value, tuple):
        members = [name for name, _ in value[1]]
        ok = depth > 0 and len(set(members)) == len(members) and all(_lawful(name, depth) for name in members)
        return ok and all(_lawful(item, depth - 1) for _, item in value[1])
    if isinstance(value, list):
        return depth > 0 and all(_lawful(item, depth - 1) for item in value)
    if isinstance(value, str):
        return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or len(str(value)) <= 4300


def lawful(raw: bytes, depth: int) -> bool:
    """Whether `raw` is a strict JSON object, said by a third, naive reading of it."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, tuple) and _lawful(value, depth)


@examples(300)
@given(documents)
def test_verdict_follows_the_rules(raw: bytes) -> None:
    """A document is taken exactly if it is one JSON object in UTF-8 that keeps every rule, and nests no deeper."""
    limits = JSONLimits(depth=16, containers=100_000)
    assert (verdict(parse_object, raw, limits) != REFUSED) == lawful(raw, 16)


@examples(150)
@given(json_texts.filter(lambda raw: lawful(raw, 16)), names, st.data())
def test_repeated_member_is_refused_at_any_position(raw: bytes, name: bytes, data: st.DataObject) -> None:
    """Putting a second member of a name into any object of a good document makes it a bad one."""
    document = b'{"outer":' + raw.strip() + b"}"
    openers = [place for place in _outside_strings(document) if document[place : place + 1] == b"{"]
    place = data.draw(st.sampled_from(openers)) + 1
    comma = b"" if document[place:].lstrip()[:1] == b"}" else b","
    twice = document[:place] + name + b":0," + name + b":1" + comma + document[place:]
    for parse in (parse_object, parse_object_reference):
        assert verdict(parse, twice, PAYLOAD_LIMITS) == REFUSED


def _outside_strings(document: bytes) -> list[int]:
    places, inside, skip = [], False, False
    for place, octet in enumerate(document):
        if skip:
            skip = False
        elif inside and octet == ord("\\"):
            skip = True
        elif octet == ord('"'):
            inside = not inside
        elif not inside:
            places.append(place)
    return places


@examples(100)
@given(json_texts, st.sampled_from([b"\xef\xbb\xbf", b"\x00", b"\x0c", b"{}", b"//", b"\xff"]))
def test_nothing_may_stand_around_the_object(raw: bytes, noise: bytes) -> None:
    """A byte order mark, a second document or a comment before or behind the object is refused."""
    for document in (noise + raw, raw + noise):
        assert verdict(parse_object, document, JWKS_LIMITS) == REFUSED


@pytest.mark.parametrize("most", [0, 640])
@pytest.mark.parametrize("digits", [b"9" * 640, b"9" * 4300, b"9" * 4301, b"-" + b"9" * 4300, b"9" * 20_000])
def test_verdict_on_long_numbers_does_not_depend_on_interpreter_settings(digits: bytes, most: int) -> None:
    """`sys.set_int_max_str_digits` may forbid more; it never lets one parser accept what the other refuses."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(most)
    try:
        raw = b'{"a":' + digits + b"}"
        accepted = [_accepts(parse, raw) for parse in (parse_object, parse_object_reference)]
    finally:
        sys.set_int_max_str_digits(before)
    assert accepted == [len(digits) <= (most or 4300)] * 2


def _accepts(parse: Any, raw: bytes) -> bool:
    try:
        parse(raw, PAYLOAD_LIMITS)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_only_utf_8_is_accepted(encoding: str) -> None:
    """RFC 7515 section 4 and RFC 7519 section 3 say UTF-8; other encodings are refused even where they look like it."""
    document = '{"alg":"RS256+é"}'.encode(encoding)
    assert verdict(parse_object, document, HEADER_LIMITS) == REFUSED
    assert verdict(parse_object_reference, document, HEADER_LIMITS) == REFUSED
