"""The worst shapes: `Authorization` values made to cost much, none of them signed.

Rule of this file: each shape aims at one loop of ours. JSON texts fill a token up to its limit of 16 KiB; values go up
to 64 KiB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from bearward.jose.base64url import encode

__all__ = ["JSON_SHAPES", "header_values", "shapes", "token_values"]

PAYLOAD_OCTETS = 11_900
"""What fits into a token of 16 KiB beside a header and an RSA signature."""
HEADER_OCTETS = 4_096

_HEADER = encode(b'{"alg":"RS256","kid":"key"}')
_SIGNATURE = encode(bytes(256))


def _repeated(before: bytes, part: bytes, after: bytes) -> Callable[[int], bytes]:
    """A text of at most so many octets with as many parts as fit."""
    return lambda octets: before + part * ((octets - len(before) - len(after)) // len(part)) + after


def _members(before: bytes, value: bytes) -> Callable[[int], bytes]:
    """As many members with their own names as fit."""
    size = len(value) + 7
    return lambda octets: before + b",".join(b'"%03x":%s' % (n, value) for n in range((octets - 30) // size)) + b"}"


def _nested(opener: bytes, middle: bytes, closer: bytes) -> Callable[[int], bytes]:
    size = len(opener) + len(closer)
    return lambda octets: b'{"a":' + opener * (octets // size - 8) + middle + closer * (octets // size - 8) + b"}"


def _costly(count: int) -> Callable[[int], bytes]:
    """So many numbers below the normal ones, each of as many digits as fit: the most expensive there are to round."""
    return lambda octets: (
        b'{"a":[' + b",".join([b"0." + b"9" * ((octets - 20) // count - 8) + b"e-320"] * count) + b"]}"
    )


JSON_SHAPES: dict[str, Callable[[int], bytes]] = {
    "arrays in arrays": _nested(b"[", b"", b"]"),
    "objects in objects": _nested(b'{"a":', b"1", b"}"),
    "arrays without an end": _repeated(b'{"a":', b"[", b""),
    "short arrays": _repeated(b'{"a":[', b"[],", b"[]]}"),
    "objects with a member": _repeated(b'{"a":[', b'{"a":1},', b"1]}"),
    "objects with a member, escaped": _repeated(b'{"\\n":[', b'{"a":1},', b"1]}"),
    "members": _members(b"{", b"1"),
    "members, escaped": _members(b'{"\\n":1,', b"1"),
    "one member many times": _repeated(b"{", b'"a":1,', b'"a":1}'),
    "integers": _repeated(b'{"a":[', b"1,", b"1]}"),
    "integers, escaped": _repeated(b'{"\\n":[', b"1,", b"1]}"),
    "fractions": _repeated(b'{"a":[', b"1.0,", b"1]}"),
    "fractions, escaped": _repeated(b'{"\\n":[', b"1.0,", b"1]}"),
    "exponents": _repeated(b'{"a":[', b"1e300,", b"1]}"),
    "exponents as members": _members(b"{", b"1e300"),
    "exponents in arrays": _repeated(b'{"a":[', b"[1e300],", b"1]}"),
    "1,500 exponents": lambda octets: b'{"a":[' + b"1e300," * min(1500, octets // 6 - 3) + b"1]}",
    "1,500 fractions, escaped": lambda octets: b'{"\\n":[' + b"1.0," * min(1500, octets // 4 - 3) + b"1]}",
    "1,500 empty strings, escaped": lambda octets: b'{"\\n":[' + b'"",' * min(1500, octets // 3 - 4) + b"1]}",
    "1,500 short strings": lambda octets: b'{"a":[' + b'"abc",' * min(1500, octets // 6 - 3) + b"1]}",
    "thirty exponents": lambda _: b'{"a":[' + b"1e300," * 30 + b"1]}",
    "seventy exponents": lambda _: b'{"a":[' + b"1e300," * 70 + b"1]}",
    "thirty exponents behind many digits": _costly(30),
    "sixty exponents behind many digits": _costly(60),
    "numbers at the edge of a double": _repeated(b'{"a":[', b"1.7976931348623157e308,", b"1]}"),
    "words": _repeated(b'{"\\n":[', b"true,", b"1]}"),
    "empty strings": _repeated(b'{"a":[', b'"",', b'""]}'),
    "empty strings, escaped": _repeated(b'{"\\u0061":[', b'"",', b'""]}'),
    "digits": _repeated(b'{"a":', b"9", b"}"),
    "digits, 4,299 at a time": _repeated(b'{"a":[', b"9" * 4299 + b",", b"1]}"),
    "digits, 4,299 at a time, escaped": _repeated(b'{"\\n":[', b"9" * 4299 + b",", b"1]}"),
    "digits of a fraction": _repeated(b'{"a":0.', b"9", b"}"),
    "digits of an exponent": _repeated(b'{"a":1e', b"9", b"}"),
    "escapes by number": _repeated(b'{"a":"', b"\\u0041", b'"}'),
    "pairs of surrogates": _repeated(b'{"a":"', b"\\ud83d\\ude00", b'"}'),
    "short strings of escapes": _repeated(b'{"a":[', b'"\\u0041",', b"1]}"),
    "escaped quotes without an end": _repeated(b'{"a":"', b'\\"', b""),
    "backslashes without an end": _repeated(b'{"a":"', b"\\", b""),
    "quotes": _repeated(b"", b'"', b""),
    "brackets in a string": _repeated(b'{"a":"', b"[{", b'"}'),
    "brackets in a string with an escape": _repeated(b'{"a":"\\n', b"[{", b'"}'),
    "two octets a letter": _repeated(b'{"a":"', "é".encode(), b'"}'),
    "NUL": _repeated(b"", b"\x00", b""),
    "octets that are no UTF-8": _repeated(b"", b"\xff", b""),
    "white space": _repeated(b"", b" ", b"{}"),
    "commas": _repeated(b"{", b",", b"}"),
    "audiences": _repeated(b'{"iss":"https://login.example","exp":9999999999,"aud":[', b'"a",', b'"a"]}'),
}
"""Texts by the number of octets that they may have."""


def token_values() -> Iterator[tuple[str, bytes]]:
    """Each JSON shape as a payload and as a header."""
    for name, make in JSON_SHAPES.items():
        payload, header = encode(make(PAYLOAD_OCTETS)), encode(make(HEADER_OCTETS))
        yield f"payload: {name}", b"Bearer " + b".".join((_HEADER, payload, _SIGNATURE))
        yield f"header: {name}", b"Bearer " + b".".join((header, b"e30", _SIGNATURE))
    claims = json.dumps({"iss": "https://login.example", "aud": "a", "exp": 9999999999}).encode()
    unnamed = b".".join((encode(b'{"alg":"RS256"}'), encode(claims), _SIGNATURE))
    yield "a signature by none of eight keys", b"Bearer " + unnamed


def header_values() -> Iterator[tuple[str, bytes]]:
    """Values that are hardly tokens."""
    for size in (16_000, 64_000):
        yield f"{size} dots", b"Bearer " + b"." * size
        yield f"{size} letters", b"Bearer " + b"e" * size
        yield f"{size} spaces", b"Bearer" + b" " * size + b"e"
        yield f"{size} tabs", b"\t" * size + b"Bearer"
        yield f"{size} equals signs", b"Bearer e" + b"=" * size
        yield f"{size} letters and equals signs", b"Bearer " + b"e=" * (size // 2)
        yield f"{size} commas", b"Bearer " + b"," * size
        yield f"{size} letters of a scheme", b"B" * size
        yield f"{size} octets of UTF-8", b"Bearer " + "é".encode() * (size // 2)


def shapes() -> dict[str, bytes]:
    """All of them by name."""
    return dict((*token_values(), *header_values()))
