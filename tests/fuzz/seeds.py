"""The first inputs of each target: one good example of each kind, from which the fuzzer finds the others."""

from __future__ import annotations

import json

from bearward.testing import SigningKey

__all__ = ["SEEDS", "WORDS"]

_CLAIMS = {"iss": "i", "aud": "a", "sub": "s", "exp": 1_700_000_300, "iat": 1_699_999_990, "jti": "1", "scope": "a b"}
_ODD = {
    "nbf": 1.5,
    "cnf": {"x5t#S256": "x"},
    "auth_time": 1,
    "acr": "x",
    "roles": ["admin"],
    "a": {"b": "c"},
    "aud": ["a"],
}
_HEADER = b'{"alg":"HS256","kid":"k","typ":"JWT"}'


def _json(members: object) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


_TOML = b"""\x00cache = "memory://"
notes = 1
[[issuers]]
issuer = "https://login.example/"
audience = ["api"]
algorithms = ["RS256"]
leeway = 2.5
expected_claims = {token_use = "access"}
[issuers.keys]
max_age = 300
"""
_SECRETS = b"""\x00[[issuers]]
issuer = "https://login.example/"
audience = "api"
[[issuers.symmetric_keys]]
secret = "0123456789abcdef0123456789abcdef"
kid = "k"
"""
_ENVIRONMENT = b"""\x80ISSUER=https://login.example/
AUDIENCE=a,b
JWKS_URI=http://127.0.0.1:1/jwks
ALGORITHMS=RS256,ES256
LEEWAY=1.5
CACHE=redis://user:secret@cache:6379/0
UNSAFE_ALLOW_HTTP=true"""

SEEDS: dict[str, list[bytes]] = {
    "token": [
        b"\x00eyJhbGciOiJIUzI1NiJ9.e30.AA",
        b"\x40" + _HEADER + b"\x00" + _json(_CLAIMS),
        b"\x80" + _HEADER + b"\x00" + _json(_CLAIMS),
        b"\x80" + _HEADER + b"\x00" + _json({**_CLAIMS, **_ODD}),
        b'\x80{"alg":"HS256","crit":["b64"],"b64":false,"cty":"JWT","zip":"DEF","enc":"A"}\x00{"a":"\\u0061\\ud83d\\ude00"}',
    ],
    "header_value": [b"\xffBearer abc.def.ghi", b"\xfebearer  a=\x00Basic b", b"\xff Bearer\ta"],
    "key_set": [
        _json({"keys": [SigningKey.generate(alg, kid="k").public_jwk(key_ops=["verify"])]})
        for alg in ("RS256", "ES256", "ES512", "EdDSA", "Ed448")
    ],
    "settings": [_TOML, _SECRETS, _ENVIRONMENT],
    "signature": [bytes((kind, 0, 0)) + changes + b"\x00message" for kind in range(3) for changes in (b"", b"\x01")],
}

WORDS: dict[str, list[str]] = {
    "token": [
        *('"alg"', '"kid"', '"typ"', '"cty"', '"crit"', '"b64"', '"zip"', '"enc"', "HS256", "none", "at+jwt", "JWT"),
        *('"iss"', '"aud"', '"exp"', '"nbf"', '"iat"', '"sub"', '"jti"', '"cnf"', '"scope"', '"scp"', '"auth_time"'),
        *("1700000000", "1e400", "1e15", "NaN", "null", "true", "\\u0061", "\\ud800", '":', "[[", "{}", "-0"),
    ],
    "header_value": ["Bearer ", "bearer", "Basic ", "\t", "=", ","],
    "signature": ["message"],
    "key_set": [
        *('"keys"', '"kty"', '"RSA"', '"EC"', '"OKP"', '"oct"', '"crv"', '"P-256"', '"P-521"', '"Ed25519"', '"Ed448"'),
        *(
            '"n"',
            '"e"',
            '"AQAB"',
            '"x"',
            '"y"',
            '"d"',
            '"k"',
            '"use"',
            '"sig"',
            '"alg"',
            '"RS256"',
            '"PS512"',
            '"ES256"',
        ),
        *('"key_ops"', '"verify"', '"x5c"', '"kid"', '"x5t#S256"', "null", "{}", "[]"),
    ],
    "settings": [
        *(
            "[[issuers]]",
            "[issuers.keys]",
            "issuer = ",
            "audience = ",
            "jwks_uri = ",
            "algorithms = ",
            "leeway = ",
        ),
        *(
            "token_types = ",
            "symmetric_keys = ",
            "jwks = ",
            "expected_claims = ",
            "max_age = ",
            "start = ",
            "nan",
            "inf",
        ),
        *(
            "ISSUER=",
            "AUDIENCE=",
            "JWKS_URI=",
            "ALGORITHMS=",
            "LEEWAY=",
            "CACHE=",
            "redis://",
            "memcached://",
            "unix://",
        ),
        *("https://", "http://", "[::1]", "1979-05-27", "true", "'''", '"""', "\\u0000"),
    ],
}
"""Texts worth putting in."""
