"""One JSON object, strictly (RFC 8259), by both parsers alike."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bearward.jose import strict_json
from bearward.jose.strict_json import (
    HEADER_LIMITS,
    JWKS_LIMITS,
    PAYLOAD_LIMITS,
    JSONLimits,
    parse_object,
    parse_object_reference,
)

PARSERS = (parse_object, parse_object_reference)
Parser = Callable[[bytes, JSONLimits], dict[str, Any]]

GOOD: dict[bytes, dict[str, Any]] = {
    b"{}": {},
    b' {\t"a"\r\n: 1 } ': {"a": 1},
    b'{"a":null,"b":true,"c":false}': {"a": None, "b": True, "c": False},
    b'{"a":-0,"b":-1,"c":1.5,"d":1e2,"e":1E-2}': {"a": 0, "b": -1, "c": 1.5, "d": 100.0, "e": 0.01},
    b'{"a":18446744073709551616}': {"a": 2**64},
    b'{"a":-9223372036854775809,"b":[123456789012345678901234567890]}': {
        "a": -(2**63) - 1,
        "b": [123456789012345678901234567890],
    },
    b'{"a":"\\u00e9\\n\\"\\\\\\/"}': {"a": 'é\n"\\/'},
    b'{"a":"\\ud83d\\ude00"}': {"a": "😀"},
    '{"é":"😀"}'.encode(): {"é": "😀"},
    b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}': {"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]},
    b'{"a":"[{\\"b\\":","c":"}]"}': {"a": '[{"b":', "c": "}]"},
    b'{"":""}': {"": ""},
    b'{"\\u0061":1,"A":2}': {"a": 1, "A": 2},
    b'{"a":"\x7f\xc2\x80"}': {"a": "\x7f\x80"},
    b'{"a":1e-999}': {"a": 0.0},
}

BAD = {
    "empty": b"",
    "white space": b"  ",
    "array": b"[]",
    "string": b'"a"',
    "number": b"1",
    "null": b"null",
    "two objects": b"{}{}",
    "an octet behind": b"{}\x00",
    "a form feed behind": b"{}\x0c",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16-le"),
    "invalid UTF-8": b'{"a":"\xff"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "lone surrogate in a name": b'{"\\udfff":1}',
    "lone surrogate deep down": b'{"a":[{"b":["\\ud800"]}]}',
    "surrogates the wrong way": b'{"a":"\\ude00\\ud83d"}',
    "duplicate": b'{"a":1,"a":1}',
    "duplicate by escape": b'{"a":1,"\\u0061":2}',
    "duplicate with white space": b'{"a" :1,"a":2}',
    "duplicate deep down": b'{"a":[{"b":1,"c":2,"b":3}]}',
    "duplicate that a string makes up for": b'{"a":1,"a":"\\":"}',
    "duplicate empty name": b'{"":1,"":2}',
    "duplicate that escaped quotes make up for": rb'{"a":1,"a":"\"\"\""}',
    "duplicate beside a backslash at the end of a string": rb'{"a":"\\","a":"\\\""}',
    "duplicate object": b'{"a":{"b":"c"}, "a":{"b":"c"}}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "beyond a double": b'{"a":1e309}',
    "beyond a double, negative": b'{"a":-1e309}',
    "4301 digits": b'{"a":' + b"9" * 4301 + b"}",
    "4300 digits and a sign": b'{"a":-' + b"9" * 4300 + b"}",
    "4301 digits deep down": b'{"a":[[' + b"9" * 4301 + b"]]}",
    "leading zero": b'{"a":00}',
    "leading plus": b'{"a":+1}',
    "no digit behind the point": b'{"a":1.}',
    "no digit before the point": b'{"a":.1}',
    "hexadecimal": b'{"a":0x1}',
    "comma at the end": b'{"a":1,}',
    "comma in an array": b'{"a":[1,]}',
    "comment": b'{"a":1/**/}',
    "single quotes": b"{'a':1}",
    "bare name": b"{a:1}",
    "control character": b'{"a":"\x1f"}',
    "line feed in a string": b'{"a":"\n"}',
    "unknown escape": b'{"a":"\\x"}',
    "short escape": b'{"a":"\\u00e"}',
    "cut short": b'{"a":1',
    "cut within a string": b'{"a":"',
    "cut behind a backslash": b'{"a":"\\',
    "undefined": b'{"a":undefined}',
}


CLAIMS: dict[str, Any] = {
    "iss": "https://login.example/realms/x",
    "aud": ["https://api.example", "account"],
    "jti": "a3d0c6f2-77e0-41b4-a3b0-0a5b7a3d91c3",
    "iat": 1790000000.25,
    "exp": 1790003600,
    "name": "Jürgen Müller",
    "resource_access": {f"client-{n}": {"roles": ["view", "manage"]} for n in range(8)},
    "groups": [*range(1000, 1060)],
}
SPELLINGS: dict[str, bytes] = {
    "compact": json.dumps(CLAIMS, separators=(",", ":"), ensure_ascii=False).encode(),
    "white space": json.dumps(CLAIMS, ensure_ascii=False).encode(),
    "lines": json.dumps(CLAIMS, indent=2).encode(),
    "escaped slashes": json.dumps(CLAIMS).replace("/", "\\/").encode(),
    "escapes of characters": json.dumps(CLAIMS, separators=(",", ":")).encode(),
    "an exponent": json.dumps(CLAIMS).replace("1790003600", "1.7900036E9").encode(),
}
"""One claims set as issuers write it: PHP escapes slashes, Python and Java put white space and escape what is not ASCII."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_usual_spellings_need_no_slower_parser(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However an issuer writes its claims, the parser of the standard library, at four times the cost, is not asked."""
    monkeypatch.setattr(strict_json, "parse_object_reference", lambda *_: pytest.fail("the slower parser was asked"))
    assert parse_object(SPELLINGS[spelling], PAYLOAD_LIMITS) == CLAIMS


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("raw", GOOD)
def test_good_documents(raw: bytes, parse: Parser) -> None:
    """What RFC 8259 allows is read, with the types that it means."""
    value = parse(raw, PAYLOAD_LIMITS)
    assert value == GOOD[raw]
    assert repr(value) == repr(GOOD[raw])  # True is not 1, and 1.0 is not 1


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("name", BAD)
def test_bad_documents(name: str, parse: Parser) -> None:
    """What two parsers could read differently is refused, and nothing of the text is in the error."""
    with pytest.raises(ValueError, match=r"^not one strict JSON object$") as caught:
        parse(BAD[name], PAYLOAD_LIMITS)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("limits", [HEADER_LIMITS, PAYLOAD_LIMITS, JWKS_LIMITS])
def test_depth(parse: Parser, limits: JSONLimits) -> None:
    """A document nests as deep as the limit, and not a level deeper; brackets in strings are none."""
    inner = limits.depth - 1
    for opener, closer in ((b"[", b"]"), (b'{"b":', b"}")):
        middle = b"1" if opener != b"[" else b""
        assert parse(b'{"a":' + opener * inner + middle + closer * inner + b"}", limits)
        with pytest.raises(ValueError, match="strict"):
            parse(b'{"a":' + opener * (inner + 1) + middle + closer * (inner + 1) + b"}", limits)
    assert parse(b'{"a":"' + b"[{" * 50 + b'"}', limits)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("limits", [HEADER_LIMITS, PAYLOAD_LIMITS, JWKS_LIMITS])
def test_containers(parse: Parser, limits: JSONLimits) -> None:
    """The number of objects and arrays is bounded; the outermost two count."""
    fits = b'{"a":[' + b"{}," * (limits.containers - 3) + b"[]]}"
    assert len(parse(fits, limits)["a"]) == limits.containers - 2
    with pytest.raises(ValueError, match="strict"):
        parse(fits.replace(b"[]]", b"[],[]]"), limits)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("limits", [HEADER_LIMITS, PAYLOAD_LIMITS, JWKS_LIMITS])
@pytest.mark.parametrize("element", [b'"a"', b"1", b'",,"', b"true"])
def test_members_and_elements(parse: Parser, limits: JSONLimits, element: bytes) -> None:
    """The number of commas is bounded, wherever they stand; those in strings are none."""
    fits = b'{"a":[' + b",".join([element] * limits.commas) + b'],"b":"' + b"," * 20_000 + b'"}'
    assert len(parse(fits, limits)["a"]) == limits.commas
    with pytest.raises(ValueError, match="strict"):
        parse(fits[:-1] + b',"c":1}', limits)


@pytest.mark.parametrize("parse", PARSERS)
def test_4300_digits_are_the_most(parse: Parser) -> None:
    """An integer of 4300 characters is read, in any place."""
    number = int("9" * 4300)
    assert parse(b'{"a":%d,"b":[%d]}' % (number, number), PAYLOAD_LIMITS) == {"a": number, "b": [number]}
    assert parse(b'{"a":"' + b"9" * 5000 + b'"}', PAYLOAD_LIMITS) == {"a": "9" * 5000}


@pytest.mark.parametrize("count", [1, 60, 64, 65, 66, 500])
@pytest.mark.parametrize("number", ["1", "1.5", "1e300", "-0.25"])
def test_many_numbers_are_the_same_numbers(count: int, number: str) -> None:
    """Few numbers go to one parser and many to the other: the values are the same."""
    text = '{"a":[' + ",".join([number] * count) + '],"b":{"c":' + number + "}}"
    value = parse_object(text.encode(), PAYLOAD_LIMITS)
    assert value == {"a": [float(number)] * count, "b": {"c": float(number)}}
    assert repr(value) == repr(parse_object_reference(text.encode(), PAYLOAD_LIMITS))


@pytest.mark.parametrize("parse", [parse_object, parse_object_reference], ids=["fast", "slow"])
@pytest.mark.parametrize("name", [b"a", rb"\u0061"])
def test_closed_brackets_do_not_allow_deeper_nesting(parse: Any, name: bytes) -> None:
    """Depth is counted as it is, whatever stands beside."""
    limits = JSONLimits(depth=4, containers=100)
    closed = b",".join(b'"%d":[{}]' % number for number in range(9))
    deepest = b"{" + closed + b',"' + name + b'":[[[]]]}'
    assert parse(deepest, limits)
    with pytest.raises(ValueError, match="strict"):
        parse(deepest.replace(b"[[[]]]", b"[[[[]]]]"), limits)
    with pytest.raises(ValueError, match="strict"):
        parse(deepest, JSONLimits(depth=4, containers=21))
    assert parse(deepest, JSONLimits(depth=4, containers=22))


@pytest.mark.parametrize("parse", [parse_object, parse_object_reference])
@pytest.mark.parametrize("opener", [b"[", b'{"a":'])
def test_nothing_of_the_program_runs_at_the_depth_of_a_hostile_document(
    parse: Parser, opener: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser that recursed to its end would let the collector run there, and what it calls fail for want of a stack."""
    failed: list[str] = []

    def needs_some_stack(phase: str, _: object) -> None:
        json.dumps([[[phase]]])

    monkeypatch.setattr(sys, "unraisablehook", lambda error: failed.append(error.exc_type.__name__))
    threshold = gc.get_threshold()
    gc.callbacks.append(needs_some_stack)
    gc.set_threshold(1)
    try:
        with pytest.raises(ValueError, match="not one strict JSON object"):
            parse(b'{"x":' + opener * 5000, PAYLOAD_LIMITS)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(needs_some_stack)
    assert failed == []
