"""A compact JWS (RFC 7515 section 7.1), parsed strictly; nothing in it is trusted yet.

    token   = header "." payload "." signature      each canonical base64url, none of the first two empty

Rule of this file: sizes are checked before any work; whatever is not a plain signed token is refused by name (JWE, JSON
serialization, compressed, nested, unencoded payload, an unknown `crit`); members that point to keys (`jku`, `x5u`,
`jwk`, `x5c`) are ignored, and so are unregistered members (RFC 7515 section 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bearward.errors import AuthError
from bearward.jose.base64url import decode
from bearward.jose.strict_json import HEADER_LIMITS, PAYLOAD_LIMITS, parse_object
from bearward.refusals import Refusal

__all__ = ["MAX_TOKEN", "JOSEHeader", "UnverifiedToken", "parse_compact", "split"]

MAX_TOKEN = 16 * 1024
MAX_HEADER = 4 * 1024
"""Octets of a header, not counting the certificates of an `x5c`: some issuers send their whole chain with every token."""
_MAX_CACHED_HEADERS = 512
_MAX_CACHED_SEGMENT = 512


class JOSEHeader(NamedTuple):
    """What a verification needs of a JOSE header; unverified."""

    alg: str
    kid: str | None
    typ: str | None
    """Lower case, without a leading `application/` (RFC 7515 section 4.1.9)."""
    nested: bool = False
    """Whether `cty` promises a token as the payload (RFC 7519 section 5.2)."""


class UnverifiedToken(NamedTuple):
    """A token taken apart. Its claims are whatever its author wrote until a signature was verified."""

    header: JOSEHeader
    claims: dict[str, Any]
    payload: bytes
    """The text that the claims were read from."""
    signing_input: bytes
    signature: bytes


_fast_new = tuple.__new__  # a NamedTuple's own constructor is one more call: 0.1 us of a verification


def parse_compact(token: str) -> UnverifiedToken:
    """Take a compact JWS apart whose payload is a claims set (RFC 7519 section 7.2); raise `AuthError`.

    Refusals: TOKEN_TOO_LARGE, TOKEN_MALFORMED, TOKEN_ENCRYPTED, TOKEN_JSON_SERIALIZED, TOKEN_COMPRESSED,
    TOKEN_NESTED, HEADER_MALFORMED, HEADER_CRITICAL, PAYLOAD_UNENCODED, PAYLOAD_MALFORMED.
    """
    header, payload, signing_input, signature = split(token)
    try:
        claims = parse_object(payload, PAYLOAD_LIMITS)
    except ValueError:
        raise AuthError(Refusal.TOKEN_NESTED if header.nested else Refusal.PAYLOAD_MALFORMED) from None
    return _fast_new(UnverifiedToken, (header, claims, payload, signing_input, signature))


def split(token: str) -> tuple[JOSEHeader, bytes, bytes, bytes]:
    """Header, payload octets, signing input and signature of a compact JWS with any payload; raise `AuthError`."""
    if len(token) > MAX_TOKEN:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    signed, _, third = token.rpartition(".")
    first, dot, second = signed.partition(".")
    if not dot or "." in second:
        raise AuthError(_why_not_compact(token))
    header = _header_cache.get(first) or _header(first)
    try:
        payload = decode(second)
        signature = decode(third)
    except ValueError:
        raise AuthError(Refusal.TOKEN_MALFORMED) from None
    return header, payload, signed.encode("ascii"), signature  # ASCII, since both of its segments were decoded


def _why_not_compact(token: str) -> Refusal:
    if token.isascii():
        if token.lstrip()[:1] == "{":
            return Refusal.TOKEN_JSON_SERIALIZED
        if token.count(".") == 4:
            return Refusal.TOKEN_ENCRYPTED
    return Refusal.TOKEN_MALFORMED


# A header says the same for every token of one key, so it is read once. Bounded in number and in bytes: an attacker
# who sends a new header each time can only make us start over.
_header_cache: dict[str, JOSEHeader] = {}


def _header(segment: str) -> JOSEHeader:
    if not segment:
        raise AuthError(Refusal.TOKEN_MALFORMED)
    try:
        octets = decode(segment)
    except ValueError:
        raise AuthError(Refusal.TOKEN_MALFORMED) from None
    header = _read_header(octets)
    if len(segment) <= _MAX_CACHED_SEGMENT:
        if len(_header_cache) >= _MAX_CACHED_HEADERS:
            _header_cache.clear()
        _header_cache[segment] = header
    return header


def _read_header(octets: bytes) -> JOSEHeader:
    try:
        members = parse_object(octets, HEADER_LIMITS)
    except ValueError:
        raise AuthError(Refusal.HEADER_MALFORMED) from None
    if len(octets) > MAX_HEADER and len(octets) - _chain_length(members) > MAX_HEADER:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    _reject_unsupported(members)
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str) or not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise AuthError(Refusal.HEADER_MALFORMED)
    if ("kid" in members and kid is None) or ("typ" in members and typ is None):
        raise AuthError(Refusal.HEADER_MALFORMED)
    return JOSEHeader(alg, kid, None if typ is None else media_type(typ), _promises_a_token(members))


def _chain_length(members: dict[str, Any]) -> int:
    """How many characters the certificates of a header take (RFC 7515 section 4.1.6); they are not looked at."""
    chain = members.get("x5c")
    return sum(len(item) for item in chain if isinstance(item, str)) if isinstance(chain, list) else 0


def _reject_unsupported(members: dict[str, Any]) -> None:
    if "enc" in members:
        raise AuthError(Refusal.TOKEN_ENCRYPTED)
    if members.get("b64", True) is not True:  # RFC 7797
        raise AuthError(Refusal.PAYLOAD_UNENCODED)
    if "crit" in members:  # RFC 7515 section 4.1.11: none of the extensions is understood here
        raise AuthError(Refusal.HEADER_CRITICAL)
    if "zip" in members:
        raise AuthError(Refusal.TOKEN_COMPRESSED)


def _promises_a_token(members: dict[str, Any]) -> bool:
    """Whether `cty` is `JWT`. Some issuers write it above plain claims too, so the payload decides what it is."""
    content_type = members.get("cty", "")
    if not isinstance(content_type, str):
        raise AuthError(Refusal.HEADER_MALFORMED)
    kind = media_type(content_type)
    if kind in ("jws", "jwe", "jose", "jose+json"):
        raise AuthError(Refusal.TOKEN_NESTED)
    return kind == "jwt"


def media_type(value: str) -> str:
    """Lower case, without `application/` where no other slash stands (RFC 7515 section 4.1.9).

    >>> media_type("application/AT+JWT")
    'at+jwt'
    """
    lowered = value.lower()
    return lowered.removeprefix("application/") if lowered.count("/") == 1 else lowered
