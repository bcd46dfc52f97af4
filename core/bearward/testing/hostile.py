"""Tokens that every verifier must refuse, by name: one catalogue for `pytest.mark.parametrize`.

Rules of this file: each token is good but for the one thing that its name says, so a service that lets it in lacks that
one check. `refusal` is what bearward says of it by an issuer's usual settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from bearward.jose.base64url import decode, encode
from bearward.refusals import Refusal
from bearward.testing.keys import SigningKey
from bearward.testing.minting import json_octets, sign_segments, tamper

__all__ = ["HOSTILE_TOKENS", "HostileToken", "Minter"]

_Claims = Mapping[str, Any]
_HOUR = 3600
_NOT_JSON = b'{"iss":'


class Minter(Protocol):
    """What a hostile token is made from: an issuer."""

    @property
    def url(self) -> str:
        """Its `iss`."""
        ...

    def key(self, alg: str | None = None) -> SigningKey:
        """The key that signs."""
        ...

    def now(self) -> float:
        """Its clock, in seconds since the epoch."""
        ...

    def mint(self, **changes: Any) -> str:
        """A token: see `LocalIssuer.mint`."""
        ...


@dataclass(frozen=True, slots=True)
class HostileToken:
    """One entry: `make` creates the token for an issuer, with further claims; `source` says who met it or forbids it."""

    make: Callable[[Minter, _Claims], str]
    refusal: Refusal
    source: str


def _claims(**changes: Any) -> Callable[[Minter, _Claims], str]:
    return lambda issuer, claims: issuer.mint(claims={**claims, **changes})


def _without(name: str) -> Callable[[Minter, _Claims], str]:
    return lambda issuer, claims: issuer.mint(claims=claims, without=[name])


def _times(**offsets: float) -> Callable[[Minter, _Claims], str]:
    """Claims of time, in seconds from now."""

    def make(issuer: Minter, claims: _Claims) -> str:
        now = int(issuer.now())
        return issuer.mint(claims={**claims, **{name: now + offset for name, offset in offsets.items()}})

    return make


def _header(**members: Any) -> Callable[[Minter, _Claims], str]:
    return lambda issuer, claims: issuer.mint(claims=claims, headers=members)


def _segments(edit: Callable[[list[str]], list[str]]) -> Callable[[Minter, _Claims], str]:
    return lambda issuer, claims: ".".join(edit(issuer.mint(claims=claims).split(".")))


def _by_thief(**members: Any) -> Callable[[Minter, _Claims], str]:
    """Signed by a key of the attacker's own, under the `kid` of the issuer's."""

    def make(issuer: Minter, claims: _Claims) -> str:
        honest = issuer.key()
        thief = SigningKey.generate(honest.alg, kid=honest.kid)
        brought = {name: value(thief) for name, value in members.items()}
        return issuer.mint(key=thief, claims=claims, headers=brought)

    return make


def _confused(secret: Callable[[SigningKey], bytes]) -> Callable[[Minter, _Claims], str]:
    """HS256, with what everybody knows as the secret."""

    def make(issuer: Minter, claims: _Claims) -> str:
        honest = issuer.key()
        return issuer.mint(key=secret(honest), kid=honest.kid, claims=claims)

    return make


def _unsigned(alg: str) -> Callable[[Minter, _Claims], str]:
    def make(issuer: Minter, claims: _Claims) -> str:
        header, payload, _ = issuer.mint(claims=claims, headers={"alg": alg}).split(".")
        return f"{header}.{payload}."

    return make


def _issuer(edit: Callable[[str], Any]) -> Callable[[Minter, _Claims], str]:
    return lambda issuer, claims: issuer.mint(claims={**claims, "iss": edit(issuer.url)})


def _changed(issuer: Minter, claims: _Claims) -> str:
    return tamper(issuer.mint(claims=claims), sub="admin")


def _of_another(issuer: Minter, claims: _Claims) -> str:
    header, payload, _ = issuer.mint(claims=claims).split(".")
    return f"{header}.{payload}.{issuer.mint(sub='another').split('.')[2]}"


def _zero_signature(issuer: Minter, claims: _Claims) -> str:
    header, payload, signature = issuer.mint(claims=claims).split(".")
    return f"{header}.{payload}.{encode(bytes(len(decode(signature.encode())))).decode()}"


def _unknown_kid(issuer: Minter, claims: _Claims) -> str:
    return issuer.mint(key=SigningKey.generate(issuer.key().alg), claims=claims)


def _payload(edit: Callable[[bytes], bytes]) -> Callable[[Minter, _Claims], str]:
    """Correctly signed octets that are no claims set."""

    def make(issuer: Minter, claims: _Claims) -> str:
        header, payload, _ = (decode(part.encode()) for part in issuer.mint(claims=claims).split("."))
        return sign_segments(header, edit(payload), issuer.key())

    return make


def _encrypted(_issuer: Minter, _claims: _Claims) -> str:
    header = encode(json_octets({"alg": "dir", "enc": "A256GCM"})).decode()
    return f"{header}..{'.'.join(['AAAAAAAAAAAAAAAA'] * 3)}"


def _nested(issuer: Minter, claims: _Claims) -> str:
    inner = issuer.mint(claims=claims)
    key = issuer.key()
    return sign_segments(json_octets({"alg": key.alg, "kid": key.kid, "cty": "JWT"}), inner.encode(), key)


def _json_serialized(issuer: Minter, claims: _Claims) -> str:
    protected, payload, signature = issuer.mint(claims=claims).split(".")
    return json.dumps({"payload": payload, "protected": protected, "signature": signature})


def _text(text: str) -> Callable[[Minter, _Claims], str]:
    return lambda _issuer, _claims: text


def _twice(member: bytes) -> Callable[[bytes], bytes]:
    return lambda payload: payload[:-1] + b"," + member + b"}"


_R = Refusal
_CATALOGUE: Mapping[str, tuple[Callable[[Minter, _Claims], str], Refusal, str]] = {
    # who signed it
    "unsigned": (_unsigned("none"), _R.ALGORITHM_NOT_ALLOWED, "RFC 8725 section 3.1, CVE-2015-9235"),
    "unsigned, alg None": (_unsigned("None"), _R.ALGORITHM_NOT_ALLOWED, "RFC 8725 section 2.1, CVE-2020-28042"),
    "without its signature": (
        _segments(lambda parts: [*parts[:2], ""]),
        _R.SIGNATURE_INVALID,
        "RFC 7515 section 5.2",
    ),
    "signature of zeros": (_zero_signature, _R.SIGNATURE_INVALID, "CVE-2022-21449"),
    "signature of another token": (_of_another, _R.SIGNATURE_INVALID, "RFC 7515 section 5.2"),
    "changed after it was signed": (_changed, _R.SIGNATURE_INVALID, "RFC 7515 section 5.2"),
    "signed by a thief under the issuer's kid": (_by_thief(), _R.SIGNATURE_INVALID, "RFC 7515 section 10.2"),
    "key in the header": (
        _by_thief(jwk=lambda thief: thief.public_jwk()),
        _R.SIGNATURE_INVALID,
        "RFC 7515 section 10.2, CVE-2018-0114",
    ),
    "keys at a URL in the header": (
        _by_thief(jku=lambda _: "https://attacker.example/jwks"),
        _R.SIGNATURE_INVALID,
        "RFC 8725 section 3.10",
    ),
    "kid of no key": (_unknown_kid, _R.KEY_UNKNOWN, "RFC 7515 section 4.1.4"),
    "kid that is a path": (_header(kid="../../dev/null"), _R.KEY_UNKNOWN, "RFC 8725 section 3.10"),
    "HS256 with the public key as secret": (
        _confused(SigningKey.public_pem),
        _R.ALGORITHM_NOT_ALLOWED,
        "RFC 8725 section 2.1, CVE-2016-5431",
    ),
    "HS256 with the public key in DER as secret": (
        _confused(SigningKey.public_der),
        _R.ALGORITHM_NOT_ALLOWED,
        "CVE-2024-33663",
    ),
    "HS256 with an empty secret": (_confused(lambda _: b""), _R.ALGORITHM_NOT_ALLOWED, "RFC 8725 section 3.5"),
    # when, by whom, for whom
    "expired a second ago": (_times(iat=-_HOUR, exp=-1), _R.TOKEN_EXPIRED, "RFC 7519 section 4.1.4"),
    "expired an hour ago": (_times(iat=-2 * _HOUR, exp=-_HOUR), _R.TOKEN_EXPIRED, "RFC 7519 section 4.1.4"),
    "without exp": (_without("exp"), _R.CLAIM_MISSING, "RFC 9068 section 2.2"),
    "exp as a string": (_claims(exp="4102444800"), _R.CLAIM_MALFORMED, "RFC 7519 section 2"),
    "exp true": (_claims(exp=True), _R.CLAIM_MALFORMED, "RFC 7519 section 2"),
    "exp null": (_claims(exp=None), _R.CLAIM_MALFORMED, "RFC 7519 section 2"),
    "not valid before an hour from now": (_times(nbf=_HOUR), _R.TOKEN_NOT_YET_VALID, "RFC 7519 section 4.1.5"),
    "issued an hour from now": (_times(iat=_HOUR, exp=2 * _HOUR), _R.TOKEN_ISSUED_IN_FUTURE, "RFC 7519 section 4.1.6"),
    "of another issuer": (_issuer(lambda _: "https://attacker.example"), _R.ISSUER_UNTRUSTED, "RFC 8725 section 3.8"),
    "issuer with an extra slash": (_issuer(lambda url: url + "/"), _R.ISSUER_UNTRUSTED, "RFC 7519 section 4.1.1"),
    "issuer in capitals": (_issuer(str.upper), _R.ISSUER_UNTRUSTED, "RFC 7519 section 4.1.1"),
    "issuer in a list": (_issuer(lambda url: [url]), _R.CLAIM_MALFORMED, "RFC 7519 section 4.1.1"),
    "without iss": (_without("iss"), _R.CLAIM_MISSING, "RFC 9068 section 2.2"),
    "for another audience": (_claims(aud="https://other.example"), _R.AUDIENCE_MISMATCH, "RFC 8725 section 3.9"),
    "for an empty list of audiences": (_claims(aud=[]), _R.CLAIM_MALFORMED, "RFC 7519 section 4.1.3"),
    "without aud": (_without("aud"), _R.CLAIM_MISSING, "RFC 9068 section 2.2"),
    # of another kind
    "typ of a DPoP proof": (_header(typ="dpop+jwt"), _R.TOKEN_TYPE_NOT_ALLOWED, "RFC 8725 section 3.11"),
    "typ of a logout token": (_header(typ="logout+jwt"), _R.TOKEN_TYPE_NOT_ALLOWED, "RFC 8725 section 3.11"),
    "bound to a key, sent as bearer": (
        _claims(cnf={"jkt": encode(hashlib.sha256(b"a key").digest()).decode()}),
        _R.TOKEN_SENDER_CONSTRAINED,
        "RFC 9449 section 7.2",
    ),
    "bound to a certificate, sent without": (
        _claims(cnf={"x5t#S256": encode(hashlib.sha256(b"a certificate").digest()).decode()}),
        _R.TOKEN_SENDER_CONSTRAINED,
        "RFC 8705 section 3",
    ),
    "critical extension": (
        _header(crit=["https://attacker.example/x"], **{"https://attacker.example/x": True}),
        _R.HEADER_CRITICAL,
        "RFC 7515 section 4.1.11, CVE-2025-59420",
    ),
    "unencoded payload": (_header(b64=False, crit=["b64"]), _R.PAYLOAD_UNENCODED, "RFC 7797 section 7"),
    "compressed": (_header(zip="DEF"), _R.TOKEN_COMPRESSED, "RFC 8725 section 3.6"),
    "encrypted": (_encrypted, _R.TOKEN_ENCRYPTED, "RFC 7516 section 3.1"),
    "nested": (_nested, _R.TOKEN_NESTED, "RFC 7519 section 5.2"),
    "JSON serialization": (_json_serialized, _R.CREDENTIALS_MALFORMED, "RFC 7515 section 7.2"),
    # malformed
    "garbage": (_text("garbage"), _R.TOKEN_MALFORMED, "RFC 7519 section 7.2"),
    "two segments": (_segments(lambda parts: parts[:2]), _R.TOKEN_MALFORMED, "RFC 7515 section 3.1"),
    "four segments": (_segments(lambda parts: [*parts, parts[2]]), _R.TOKEN_MALFORMED, "RFC 7515 section 3.1"),
    "padded base64": (
        _segments(lambda parts: [parts[0] + "=", *parts[1:]]),
        _R.CREDENTIALS_MALFORMED,
        "RFC 7515 section 2",
    ),
    "payload that is no JSON": (_payload(lambda _: _NOT_JSON), _R.PAYLOAD_MALFORMED, "RFC 7519 section 7.2"),
    "payload that is a list": (_payload(lambda _: b"[]"), _R.PAYLOAD_MALFORMED, "RFC 7519 section 7.2"),
    "exp twice": (_payload(_twice(b'"exp":4102444800')), _R.PAYLOAD_MALFORMED, "RFC 7519 section 4"),
    "exp Infinity": (_claims(exp=float("inf")), _R.PAYLOAD_MALFORMED, "RFC 8259 section 6"),
    "nested a thousand deep": (
        _payload(_twice(b'"x":' + b"[" * 1000 + b"]" * 1000)),
        _R.PAYLOAD_MALFORMED,
        "RFC 8259 section 9",
    ),
}

HOSTILE_TOKENS: Mapping[str, HostileToken] = MappingProxyType(
    {name: HostileToken(*entry) for name, entry in _CATALOGUE.items()}
)
"""Hostile tokens by name. `issuer.hostile(name)` makes one; `HOSTILE_TOKENS[name].refusal` is what to expect."""
