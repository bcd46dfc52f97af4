"""A compact JWS taken apart: what it must be, and as what everything else is refused (RFC 7515)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearward.errors import AuthError
from bearward.jose import compact
from bearward.jose.base64url import encode
from bearward.jose.compact import MAX_TOKEN, JOSEHeader, media_type, parse_compact, split
from bearward.refusals import Refusal

PAYLOAD = encode(b'{"iss":"https://login.example"}').decode()
SIGNATURE = encode(b"signature").decode()


def _token(header: dict[str, Any] | bytes, payload: str = PAYLOAD, signature: str = SIGNATURE) -> str:
    octets = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{encode(octets).decode()}.{payload}.{signature}"


def _code(token: str) -> str:
    with pytest.raises(AuthError) as refused:
        parse_compact(token)
    return refused.value.code


def test_compact_jws_is_parsed() -> None:
    """Header, claims, the octets that are signed and the signature come out; nothing of it is verified."""
    token = _token({"alg": "RS256", "kid": "k", "typ": "application/AT+JWT", "x": 1})
    taken = parse_compact(token)
    assert taken.header == JOSEHeader("RS256", "k", "at+jwt")
    assert taken.claims == {"iss": "https://login.example"}
    assert taken.payload == b'{"iss":"https://login.example"}'
    assert taken.signing_input == token.rpartition(".")[0].encode()
    assert taken.signature == b"signature"


def test_any_payload_can_be_parsed() -> None:
    """Below the layer of claims a payload is octets; an empty signature is one too."""
    header, payload, signing_input, signature = split(_token({"alg": "none"}, "AP8", ""))
    assert (header.alg, payload, signature) == ("none", b"\x00\xff", b"")
    assert signing_input.endswith(b".AP8")


HEADERS: dict[str, tuple[dict[str, Any], JOSEHeader]] = {
    "alg alone": ({"alg": "ES256"}, JOSEHeader("ES256", None, None)),
    "empty strings": ({"alg": "", "kid": "", "typ": ""}, JOSEHeader("", "", "")),
    "keys brought along": ({"alg": "a", "jwk": 1, "jku": 2, "x5u": None, "x5c": {}}, JOSEHeader("a", None, None)),
    "b64 true": ({"alg": "a", "b64": True}, JOSEHeader("a", None, None)),
    "cty of no token": ({"alg": "a", "cty": "json"}, JOSEHeader("a", None, None)),
    "claims in the header": ({"alg": "a", "iss": 1, "exp": "x"}, JOSEHeader("a", None, None)),
    "typ with two slashes": ({"alg": "a", "typ": "application/x/JWT"}, JOSEHeader("a", None, "application/x/jwt")),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str) -> None:
    """Unregistered members are ignored (RFC 7515 section 4); members that point at keys are not looked at."""
    given, read = HEADERS[name]
    assert parse_compact(_token(given)).header == read


CRITICAL: tuple[Any, ...] = (["exp"], [], None, False, "b64", {}, ["b64"])
REFUSED_HEADERS: dict[str, list[Any]] = {
    "header_malformed": [
        {}, {"alg": None}, {"alg": 1}, {"alg": ["RS256"]}, {"kid": "k"},
        {"alg": "a", "kid": None}, {"alg": "a", "kid": 1}, {"alg": "a", "typ": None}, {"alg": "a", "typ": 1},
        {"alg": "a", "cty": None}, {"alg": "a", "cty": 1}, b"[]", b" ", b"{", b'{"alg":"a","alg":"a"}', b'\xef\xbb\xbf{"alg":"a"}',
        b'{"alg":"a","x":[[[[[[[[1]]]]]]]]}', b'{"alg":"a","x":[' + b"[]," * 40 + b"[]]}",
    ],
    "header_critical": [{"alg": "a", "crit": value} for value in CRITICAL],
    "payload_unencoded": [
        {"alg": "a", "b64": False}, {"alg": "a", "b64": None}, {"alg": "a", "b64": 0}, {"alg": "a", "b64": "true"},
    ],
    "token_compressed": [{"alg": "a", "zip": value} for value in ("DEF", None, False, "")],
    "token_encrypted": [{"alg": "dir", "enc": value} for value in ("A256GCM", None)],
    "token_nested": [{"alg": "a", "cty": value} for value in ("JWS", "JWE", "JOSE", "jose+json")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "header"), [(code, header) for code in REFUSED_HEADERS for header in REFUSED_HEADERS[code]]
)
def test_refused_headers(code: str, header: dict[str, Any] | bytes) -> None:
    """What is no plain signed token is refused as what it is."""
    token = _token(header)
    assert _code(token) == code
    assert _code(token) == code  # a header that was refused is refused again


@pytest.mark.parametrize("value", ["JWT", "jwt", "application/JWT"])
def test_nested_token_is_refused_and_mislabelled_claims_are_not(value: str) -> None:
    """RFC 7519 section 5.2: `cty: JWT` promises a nested token; some issuers write it above a claims set all the same."""
    token = _token({"alg": "a", "cty": value})
    assert parse_compact(token).claims == {"iss": "https://login.example"}
    first, _, third = token.split(".")
    assert _code(f"{first}.{encode(token.encode()).decode()}.{third}") == "token_nested"


def test_most_specific_refusal_wins() -> None:
    """Of several reasons the first in the order of the checks is told: encrypted, unencoded, critical, compressed."""
    assert _code(_token({"alg": "a", "enc": "x", "b64": False, "crit": ["b64"], "zip": "DEF"})) == "token_encrypted"
    assert _code(_token({"alg": "a", "b64": False, "crit": ["b64"], "zip": "DEF"})) == "payload_unencoded"
    assert _code(_token({"alg": "a", "crit": ["zip"], "zip": "DEF", "cty": "JWT"})) == "header_critical"
    assert _code(_token({"alg": "a", "zip": "DEF", "cty": "JWT"})) == "token_compressed"


GOOD = _token({"alg": "a"})
REFUSED_TOKENS = {
    "": "token_malformed",
    ".": "token_malformed",
    "..": "token_malformed",
    "a": "token_malformed",
    "a.b": "token_malformed",
    f".{PAYLOAD}.{SIGNATURE}": "token_malformed",
    "e30.e30.e30.e30": "token_malformed",
    "e30.e30.e30.e30.e30": "token_encrypted",
    "....": "token_encrypted",
    "e30.e30.e30.e30.e30.e30": "token_malformed",
    "." * 100: "token_malformed",
    '{"payload":"e30"}': "token_json_serialized",
    ' {"payload":"e30.e30.e30.e30.e30"}': "token_json_serialized",
    GOOD + "é": "token_malformed",
    GOOD + "\ud800": "token_malformed",
    GOOD + "=": "token_malformed",
    GOOD + "\n": "token_malformed",
    " " + GOOD: "token_malformed",
    _token({"alg": "a"}, payload=""): "payload_malformed",
    _token({"alg": "a"}, payload="W10"): "payload_malformed",
    _token({"alg": "a"}, payload="e3"): "token_malformed",
    _token({"alg": "a"}, signature="A"): "token_malformed",
}


@pytest.mark.parametrize("token", REFUSED_TOKENS)
def test_refused_tokens(token: str) -> None:
    """Three segments of canonical base64url, the first two not empty; whatever else, it is an AuthError."""
    assert _code(token) == REFUSED_TOKENS[token]


def test_sizes_are_capped_before_any_work() -> None:
    """16 KiB a token and 4 KiB a header, to the octet, without its chain of certificates."""
    room = MAX_TOKEN - len(_token({"alg": "a"}, payload="", signature=""))
    assert _code(_token({"alg": "a"}, payload="", signature="A" * (room // 4 * 4))) == "payload_malformed"
    assert _code(_token({"alg": "a"}, payload="", signature="A" * (room + 1))) == "token_too_large"
    assert parse_compact(_token(_padded(4096))).header.alg == "a"
    assert _code(_token(_padded(4097))) == "token_too_large"
    assert _code("é" * (MAX_TOKEN + 1)) == "token_too_large"
    chain = b'"x5c":["%s","%s"],' % (b"A" * 2000, b"B" * 3000)
    fits = _padded(4096 - len(chain) + 5000)
    assert parse_compact(_token(fits[:1] + chain + fits[1:])).header.alg == "a"
    large = _padded(4097 - len(chain) + 5000)
    assert _code(_token(large[:1] + chain + large[1:])) == "token_too_large"
    for value in (b'"%s"' % (b"A" * 5000), b'{"a":"%s"}' % (b"A" * 5000), b"[%s]" % b",".join([b"1"] * 4)):
        odd = b'{"alg":"a","x5c":%s,"x":"%s"}' % (value, b"x" * 4096)
        assert _code(_token(odd)) == "token_too_large"


def _padded(size: int) -> bytes:
    return b'{"alg":"a","x":"' + b"x" * (size - 18) + b'"}'


def test_header_cache_is_bounded() -> None:
    """A header is read once; attackers who send a new one each time cost no memory; long ones are not kept."""
    compact._header_cache.clear()
    for number in range(2000):
        parse_compact(_token({"alg": "a", "kid": str(number)}))
        assert len(compact._header_cache) <= compact._MAX_CACHED_HEADERS
    compact._header_cache.clear()
    parse_compact(_token({"alg": "a", "kid": "k" * 600}))
    assert compact._header_cache == {}
    first, again = (parse_compact(_token({"alg": "a", "kid": "k"})).header for _ in range(2))
    assert first is again


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("JWT", "jwt"),
        ("application/jwt", "jwt"),
        ("APPLICATION/AT+JWT", "at+jwt"),
        ("text/jwt", "text/jwt"),
        ("application/a/b", "application/a/b"),
        ("application/", ""),
        ("", ""),
        ("jwt ", "jwt "),
    ],
)
def test_media_types(value: str, read: str) -> None:
    """RFC 7515 section 4.1.9: without regard to case, `application/` may be left out where no other slash stands."""
    assert media_type(value) == read


@pytest.mark.parametrize(
    ("length", "refusal"),
    [
        (MAX_TOKEN - 1, Refusal.TOKEN_MALFORMED),
        (MAX_TOKEN, Refusal.TOKEN_MALFORMED),
        (MAX_TOKEN + 1, Refusal.TOKEN_TOO_LARGE),
    ],
)
def test_token_of_16_kib_is_parsed(length: int, refusal: Refusal) -> None:
    """The longest is looked at, and is malformed for another reason."""
    with pytest.raises(AuthError) as refused:
        parse_compact("a" * length)
    assert refused.value.refusal is refusal


@pytest.mark.parametrize("dots", [0, 1, 3, 5, 6, 7, 100])
def test_only_three_segments_are_a_token(dots: int) -> None:
    """Whatever the number of dots; five segments are those of a JWE."""
    with pytest.raises(AuthError) as refused:
        parse_compact("e30" + ".e30" * dots)
    assert refused.value.refusal is Refusal.TOKEN_MALFORMED
    with pytest.raises(AuthError) as encrypted:
        parse_compact("e30" + ".e30" * 4)
    assert encrypted.value.refusal is Refusal.TOKEN_ENCRYPTED
