"""Hostile JSON: headers and payloads that two parsers could read differently, or that are no claims set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from zlib import compress

from tests.attack.case import Case, bearer
from tests.attack.token_factory import TokenFactory

__all__ = ["header_json", "payload_json"]

_NO_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "4100000000.",
    "+4100000000",
    "0x7fffffff",
    "4_100_000_000",
    "4.1e",
)
_HEADER, _PAYLOAD, _LARGE, _ALG = "header_malformed", "payload_malformed", "token_too_large", "algorithm_not_allowed"


def header_json(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 4: one JSON object in UTF-8, no member twice, `alg` a string."""
    good = b'{"alg":"RS256","kid":"rsa"}'
    headers = {
        **{name: (text, _HEADER) for name, text in _documents(good).items()},
        "alg twice, none first": (b'{"alg":"none","alg":"RS256","kid":"rsa"}', _HEADER),
        "alg twice, none last": (b'{"alg":"RS256","alg":"none","kid":"rsa"}', _HEADER),
        "alg twice, once escaped": (b'{"alg":"RS256","\\u0061lg":"none","kid":"rsa"}', _HEADER),
        "kid twice": (b'{"alg":"RS256","kid":"rsa","kid":"pss"}', _HEADER),
        "a member of a member twice": (b'{"alg":"RS256","kid":"rsa","x":{"y":1,"y":2}}', _HEADER),
        "without alg": (b'{"kid":"rsa"}', _HEADER),
        "empty object": (b"{}", _HEADER),
        "alg null": (b'{"alg":null,"kid":"rsa"}', _HEADER),
        "alg a number": (b'{"alg":256,"kid":"rsa"}', _HEADER),
        "alg true": (b'{"alg":true,"kid":"rsa"}', _HEADER),
        "alg a list": (b'{"alg":["RS256"],"kid":"rsa"}', _HEADER),
        "alg an object": (b'{"alg":{"RS256":1},"kid":"rsa"}', _HEADER),
        "alg in capitals": (b'{"ALG":"RS256","kid":"rsa"}', _HEADER),
        "alg empty": (b'{"alg":"","kid":"rsa"}', _ALG),
        "alg with a space": (b'{"alg":"RS256 ","kid":"rsa"}', _ALG),
        "alg with NUL": (b'{"alg":"RS256\\u0000","kid":"rsa"}', _ALG),
        "alg in lower case": (b'{"alg":"rs256","kid":"rsa"}', _ALG),
        "nine levels deep": (b'{"alg":"RS256","x":' + b"[" * 8 + b"]" * 8 + b"}", _HEADER),
        "beyond 4 KiB": (b'{"alg":"RS256","x":"' + b"a" * 5000 + b'"}', _LARGE),
        "beyond 4 KiB beside an x5c": (b'{"alg":"RS256","x5c":["AAAA"],"x":"' + b"a" * 5000 + b'"}', _LARGE),
        "x5c beyond 4 KiB that is no list": (b'{"alg":"RS256","x5c":"' + b"A" * 5000 + b'"}', _LARGE),
    }
    for name, (header, code) in headers.items():
        yield bearer("header JSON", name, forge.sign(header=header), code)


def payload_json(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7519 section 7.2: a claims set, one JSON object in UTF-8, no claim twice, only finite numbers."""
    good = forge.payload()
    payloads = _documents(good) | {
        "exp twice": good.replace(b'"exp"', b'"exp": 1, "exp"'),
        "sub twice": good.replace(b'"sub"', b'"sub": "eve", "sub"'),
        "sub twice, once escaped": good.replace(b'"sub"', b'"s\\u0075b": "eve", "sub"'),
        "iss twice": good.replace(b'"iss"', b'"iss": "https://other.example", "iss"'),
        "a member of a claim twice": b'{"act": {"sub": "a", "sub": "b"}, ' + good[1:],
        "a member in a list of a claim twice": b'{"act": [{"sub": "a", "sub": "b"}], ' + good[1:],
        "seventeen levels deep": b'{"act": ' + b"[" * 16 + b"]" * 16 + b", " + good[1:],
        "exp in five thousand digits": good.replace(b'"exp": ', b'"exp": ' + b"9" * 5000),
        **{f"exp {text}": good.replace(b'"exp": ', b'"exp": %b, "x": ' % text.encode()) for text in _NO_NUMBERS},
        "compressed": compress(good),
        "a form": b"iss=a&aud=b&exp=4100000000",
        "a call around it": b"callback(" + good + b")",
    }
    for name, payload in payloads.items():
        yield bearer("payload JSON", name, forge.sign(claims=payload), _PAYLOAD)


def _documents(good: bytes) -> dict[str, bytes]:
    """A document made wrong in every way that a lenient parser might accept; `good` is an object of strings."""
    text = good.decode()
    return {
        "no JSON": b"alg=RS256",
        "empty": b"" if good.startswith(b'{"iss') else b" ",
        "a list": b"[" + good + b"]",
        "a string": json.dumps(text).encode(),
        "a number": b"12",
        "null": b"null",
        "true": b"true",
        "two objects": good + good,
        "a letter behind it": good + b"x",
        "NUL behind it": good + b"\x00",
        "cut short": good[:-1],
        "comma at the end": good[:-1] + b",}",
        "single quotes": good.replace(b'"', b"'"),
        "names without quotes": b"{x:1," + good[1:],
        "a comment": good[:-1] + b"/* */}",
        "a comment line": good + b"//",
        "byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": text.encode("utf-16"),
        "UTF-16 LE without mark": text.encode("utf-16-le"),
        "UTF-16 BE without mark": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "latin-1": good[:-1] + b',"n":"\xe9"}',
        "overlong UTF-8": good[:-1] + b',"n":"\xc0\xaf"}',
        "a surrogate in UTF-8": good[:-1] + b',"n":"\xed\xa0\x80"}',
        "beyond Unicode": good[:-1] + b',"n":"\xf4\x90\x80\x80"}',
        "an escaped lone surrogate": good[:-1] + b',"n":"\\ud800"}',
        "an escaped pair the wrong way": good[:-1] + b',"n":"\\udc00\\ud800"}',
        "a lone surrogate as a name": good[:-1] + b',"\\ud800":1}',
        "an unknown escape": good[:-1] + b',"n":"\\x41"}',
        "a short escape": good[:-1] + b',"n":"\\u12"}',
        "a raw line feed in a string": good[:-1] + b',"n":"a\nb"}',
        "a raw NUL in a string": good[:-1] + b',"n":"\x00"}',
        "NaN": good[:-1] + b',"n":NaN}',
        "Infinity": good[:-1] + b',"n":Infinity}',
        "minus Infinity": good[:-1] + b',"n":-Infinity}',
        "beyond a double": good[:-1] + b',"n":1e999}',
        "a leading zero": good[:-1] + b',"n":01}',
        "a leading plus": good[:-1] + b',"n":+1}',
        "a bare point": good[:-1] + b',"n":1.}',
        "hexadecimal": good[:-1] + b',"n":0x10}',
        "a form feed for white space": good + b"\x0c",
    }
