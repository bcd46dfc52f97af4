"""Odd JWK Sets: what an issuer may serve, each under its own issuer, with what a token must then get."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode, encodebytes
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from bearward.jose.base64url import decode
from bearward.testing import SigningKey
from tests.attack.case import ACCEPTED, Case, KeySet
from tests.attack.certificates import self_signed
from tests.attack.token_factory import OUT, TokenFactory, b64

__all__ = ["odd_sets"]

_UNAVAILABLE, _UNKNOWN, _SIGNATURE, _UNSUITABLE = (
    "keys_unavailable",
    "key_unknown",
    "signature_invalid",
    "key_unsuitable",
)


def odd_sets(forge: TokenFactory) -> Iterator[KeySet]:
    """All of them. Each issuer is `<issuer>/odd/<number>`."""
    for number, (name, keys, expected, changes) in enumerate((*_usable(forge), *_unusable(forge))):
        yield _key_set(forge, number, name, json.dumps({"keys": keys}).encode(), expected, changes)
    start = len((*_usable(forge), *_unusable(forge)))
    for number, (name, body, expected, headers, chunked) in enumerate(_documents(forge), start):
        made = _key_set(forge, number, name, body, expected, {})
        yield KeySet(made.path, made.body, made.case, headers, chunked)


def _key_set(
    forge: TokenFactory, number: int, name: str, body: bytes, expected: str, changes: dict[str, Any]
) -> KeySet:
    issuer = f"{forge.issuer}/odd/{number}"
    more = dict(changes)
    key = more.pop("key", "rsa")
    token = forge.sign(key, header=more.pop("header", {}), claims={"iss": issuer}, **more)
    return KeySet(f"/odd/{number}", body, Case("key set", name, expected, (b"Bearer " + token,)))


Row = tuple[str, list[Any], str, dict[str, Any]]
P256 = {"key": "p256"}


def _usable(forge: TokenFactory) -> Iterator[Row]:
    """Sets with a key that serves, whatever stands beside it."""
    rsa, ec = forge.key("rsa"), forge.key("p256")
    jwk = rsa.public_jwk()
    x5c = forge.key("rsa")
    yield "one key", [jwk], ACCEPTED, {}
    yield "a key without alg", [rsa.public_jwk(alg=None)], ACCEPTED, {}
    yield "a key without use", [rsa.public_jwk(use=None)], ACCEPTED, {}
    yield "a key without kid, a token with one", [rsa.public_jwk(kid=None)], ACCEPTED, {}
    yield "a key without kid, a token without", [rsa.public_jwk(kid=None)], ACCEPTED, {"header": {"kid": OUT}}
    yield (
        "two keys without kid",
        [forge.key("any").public_jwk(kid=None), rsa.public_jwk(kid=None)],
        ACCEPTED,
        {"header": {"kid": OUT}},
    )
    yield "bare key", [{"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}], ACCEPTED, {}
    yield "members nobody knows", [jwk | {"x-ext": {"a": [1]}, "issuer": "x", "nbf": 1}], ACCEPTED, {}
    yield "key_ops verify", [rsa.public_jwk(key_ops=["verify"])], ACCEPTED, {}
    yield (
        "unknown types beside it",
        [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, {"kty": "new"}, jwk],
        ACCEPTED,
        {},
    )
    yield "an unknown curve beside it", [{"kty": "EC", "crv": "P-192", "x": "AA", "y": "AA"}, jwk], ACCEPTED, {}
    yield (
        "keys for key agreement beside it",
        [{"kty": "OKP", "crv": "X25519", "x": b64(bytes(32)).decode()}, jwk],
        ACCEPTED,
        {},
    )
    yield (
        "an encryption key of the same kid before it",
        [forge.key("enc").public_jwk(kid="rsa", use="enc"), jwk],
        ACCEPTED,
        {},
    )
    yield "a key of another type of the same kid before it", [ec.public_jwk(kid="rsa"), jwk], ACCEPTED, {}
    yield "no objects beside it", [None, 1, "x", [], {}, jwk], ACCEPTED, {}
    yield (
        "broken keys beside it",
        [{"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": 2}, {"kty": "EC", "crv": "P-256"}, jwk],
        ACCEPTED,
        {},
    )
    yield "the same key twice", [jwk, jwk], ACCEPTED, {}
    yield "a secret beside it", [{"kty": "oct", "k": b64(forge.secret).decode(), "kid": "rsa"}, jwk], ACCEPTED, {}
    yield "a hundred keys", [*({**jwk, "kid": f"k{n}"} for n in range(100)), jwk], ACCEPTED, {}
    yield "a leading zero in n", [jwk | {"n": b64(b"\x00" + decode(jwk["n"].encode())).decode()}], ACCEPTED, {}
    yield "x5c that is another key's", [jwk | {"x5c": _x5c(forge, "unpublished")}, ec.public_jwk()], _UNKNOWN, {}
    yield "x5c that is its own", [jwk | {"x5c": _x5c(forge, x5c.kid)}], ACCEPTED, {}
    yield "x5c that is empty", [jwk | {"x5c": []}], ACCEPTED, {}
    yield "x5c that is no certificate", [jwk | {"x5c": ["AAAA"]}], ACCEPTED, {}
    yield "x5c with line breaks", [jwk | {"x5c": [encodebytes(_der(forge, "rsa")).decode()]}], ACCEPTED, {}
    yield "x5c with line breaks, another key's", [jwk | {"x5c": _broken(forge)}, ec.public_jwk()], _UNKNOWN, {}
    yield "a shared kid, signed by the second", [forge.key("any").public_jwk(kid="rsa"), jwk], ACCEPTED, {}
    yield "a shared kid, signed by neither", [forge.key("any").public_jwk(kid="rsa"), ec.public_jwk()], _SIGNATURE, {}
    yield "a shared kid, one key for each algorithm", [jwk | {"alg": "PS256"}, jwk], ACCEPTED, {}
    yield "a shared kid, the first malformed", [{"kty": "RSA", "kid": "rsa", "n": "!", "e": "AQAB"}, jwk], ACCEPTED, {}
    yield "a shared kid, both on curves", [forge.key("p384").public_jwk(kid="p256"), ec.public_jwk()], ACCEPTED, P256
    yield "EC without alg, use and kid", [_bare(ec)], ACCEPTED, P256
    yield "EC with a zero in front of x", [_wide(ec)], ACCEPTED, P256
    ed = forge.key("ed25519")
    yield "OKP without alg, use and kid", [_bare(ed)], ACCEPTED, {"key": "ed25519"}
    yield "OKP as Ed25519", [ed.public_jwk(alg="Ed25519")], ACCEPTED, {"key": "ed25519"}
    named = rsa.public_jwk(kid="ключ/é ☃?#%41")
    yield "a kid in Unicode", [jwk | {"kid": "x"}, named], ACCEPTED, {"header": {"kid": named["kid"]}}
    yield "a kid of a thousand characters", [jwk | {"kid": "k" * 1000}], ACCEPTED, {"header": {"kid": "k" * 1000}}
    yield "an empty kid", [jwk | {"kid": ""}], ACCEPTED, {"header": {"kid": ""}}
    yield "null for what is optional", [jwk | dict.fromkeys(("use", "key_ops", "x5c", "x5t", "x5u"))], ACCEPTED, {}
    yield "use and key_ops", [jwk | {"key_ops": ["sign", "verify"]}], ACCEPTED, {}
    yield "x5u and x5t, which are not followed", [jwk | {"x5u": f"{forge.canary}/x5u", "x5t": "AAAA"}], ACCEPTED, {}
    yield "only a key for another algorithm", [rsa.public_jwk(alg="RS512")], _UNSUITABLE, {}
    yield "alg null", [jwk | {"alg": None}], ACCEPTED, {}


def _x5c(forge: TokenFactory, kid: str) -> list[str]:
    return [b64encode(_der(forge, kid)).decode()]


def _broken(forge: TokenFactory) -> list[str]:
    return [encodebytes(_der(forge, "unpublished")).decode()]


def _der(forge: TokenFactory, kid: str) -> bytes:
    return self_signed(forge.key(kid)).public_bytes(Encoding.DER)


def _bare(key: SigningKey) -> dict[str, Any]:
    return key.public_jwk(alg=None, use=None, kid=None)


def _wide(key: SigningKey) -> dict[str, Any]:
    """RFC 7518 section 6.2.1.2 asks for exactly the length of the field; some issuers put the zero of ASN.1 before it."""
    jwk = key.public_jwk()
    return jwk | {"x": b64(b"\x00" + decode(jwk["x"].encode())).decode()}


def _unusable(forge: TokenFactory) -> Iterator[Row]:
    """Sets without a key that serves: nobody can be verified, and that is not the caller's fault."""
    jwk, ec, ed = forge.key("rsa").public_jwk(), forge.key("p256").public_jwk(), forge.key("ed25519").public_jwk()
    weak = SigningKey.generate("RS256", kid="rsa", bits=1024)
    unusable: dict[str, list[Any]] = {
        "no keys": [],
        "RSA of 1024 bits": [weak.public_jwk()],
        "e = 1": [jwk | {"e": "AQ"}],
        "e = 2": [jwk | {"e": "Ag"}],
        "e even": [jwk | {"e": "AQAA"}],
        "e = 0": [jwk | {"e": "AA"}],
        "n even": [jwk | {"n": jwk["n"][:-1] + "A"}],
        "n in ordinary base64": [jwk | {"n": "+/" + jwk["n"][2:]}],
        "n padded": [jwk | {"n": jwk["n"] + "=="}],
        "n of 20,000 bits": [jwk | {"n": b64(b"\xff" * 2500).decode()}],
        "use enc": [jwk | {"use": "enc"}],
        "use enc, key_ops verify": [jwk | {"use": "enc", "key_ops": ["verify"]}],
        "use sig, key_ops encrypt": [jwk | {"key_ops": ["encrypt"]}],
        "use in capitals": [jwk | {"use": "SIG"}],
        "alg in lower case": [jwk | {"alg": "rs256"}],
        "key_ops sign": [jwk | {"use": None, "key_ops": ["sign"]}],
        "key_ops empty": [jwk | {"key_ops": []}],
        "key_ops verify twice": [jwk | {"key_ops": ["verify", "verify"]}],
        "key_ops a string": [jwk | {"key_ops": "verify"}],
        "a private key": [jwk | {"d": "AQAB", "p": "AQAB", "q": "AQAB"}],
        "a secret": [{"kty": "oct", "k": b64(forge.secret).decode(), "alg": "HS256", "kid": "rsa"}],
        "alg none": [jwk | {"alg": "none"}],
        "alg HS256 on an RSA key": [jwk | {"alg": "HS256"}],
        "alg ES256 on an RSA key": [jwk | {"alg": "ES256"}],
        "alg RSA-OAEP": [jwk | {"alg": "RSA-OAEP"}],
        "kty in lower case": [jwk | {"kty": "rsa"}],
        "kty EC with RSA members": [jwk | {"kty": "EC"}],
        "a point off its curve": [ec | {"y": ec["x"]}],
        "the point at zero": [ec | {"x": b64(bytes(32)).decode(), "y": b64(bytes(32)).decode()}],
        "a coordinate cut short": [ec | {"x": ec["x"][:-4]}],
        "a coordinate too long": [ec | {"x": "AAAA" + ec["x"]}],
        "the wrong curve's name": [ec | {"crv": "P-384"}],
        "an Ed25519 key of small order": [ed | {"x": b64(bytes([1]) + bytes(31)).decode()}],
        "an Ed25519 key cut short": [ed | {"x": ed["x"][:-4]}],
        "kid a number": [jwk | {"kid": 1}],
    }
    for name, keys in unusable.items():
        yield name, keys, _UNAVAILABLE, {}


def _documents(forge: TokenFactory) -> Iterator[tuple[str, bytes, str, dict[str, str], bool]]:
    """What is odd about the document or the answer that carries it."""
    body = json.dumps({"keys": [forge.key("rsa").public_jwk()]}).encode()
    json_type = {"Content-Type": "application/json"}
    yield "as application/jwk-set+json", body, ACCEPTED, {"Content-Type": "application/jwk-set+json"}, False
    yield "as application/json with charset", body, ACCEPTED, {"Content-Type": "application/json; charset=UTF-8"}, False
    yield "without a type", body, ACCEPTED, {}, False
    yield "as text/plain", body, ACCEPTED, {"Content-Type": "text/plain"}, False
    yield "with an odd Cache-Control", body, ACCEPTED, json_type | {"Cache-Control": "max-age=x, ,, no-store"}, False
    yield "with escapes", body.replace(b'"kty"', b'"\\u006bty"'), ACCEPTED, json_type, False
    yield "chunked without a type", body, ACCEPTED, {}, True
    yield "chunked", body, ACCEPTED, json_type, True
    yield "compressed", gzip.compress(body), ACCEPTED, json_type | {"Content-Encoding": "gzip"}, False
    yield "white space around", b"\r\n\t " + body + b"\n\n", ACCEPTED, json_type, False
    yield "members beside keys", body[:-1] + b', "x": {"y": [1]}}', ACCEPTED, json_type, False
    yield "with a byte order mark", b"\xef\xbb\xbf" + body, ACCEPTED, json_type, False
    yield "a list of keys", json.dumps([forge.key("rsa").public_jwk()]).encode(), _UNAVAILABLE, json_type, False
    yield "one bare key", json.dumps(forge.key("rsa").public_jwk()).encode(), _UNAVAILABLE, json_type, False
    yield "keys an object", b'{"keys": {"rsa": {}}}', _UNAVAILABLE, json_type, False
    yield "keys twice", body[:-1] + b', "keys": []}', _UNAVAILABLE, json_type, False
    yield "cut short", body[:-10], _UNAVAILABLE, json_type, False
    yield "HTML", b"<!doctype html><title>Sign in</title>", _UNAVAILABLE, {"Content-Type": "text/html"}, False
    yield "empty", b"", _UNAVAILABLE, json_type, False
    yield "deep", b'{"keys": ' + b"[" * 20000 + b"]" * 20000 + b"}", _UNAVAILABLE, json_type, False
    yield "a megabyte", body + b" " * 1_000_000, _UNAVAILABLE, json_type, False
    bomb = gzip.compress(b" " * 5_000_000 + body)
    yield "a compressed bomb", bomb, _UNAVAILABLE, json_type | {"Content-Encoding": "gzip"}, False
    yield "UTF-16", body.decode().encode("utf-16"), _UNAVAILABLE, json_type, False
