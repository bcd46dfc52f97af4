"""A token as some proxies in front write it: base64url with padding, and claims in the JOSE header.

Rules of this file: this form counts in the place of such a proxy and nowhere else. A segment has one spelling with
padding and one without, both canonical; the signature is over the text as it was sent. A claim that belongs into the
header is taken from there alone: the payload is what an identity provider, or its user, says.
"""

from __future__ import annotations

from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError, Refusal
from bearward.jose.base64url import decode
from bearward.jose.compact import UnverifiedToken, parse_compact
from bearward.jose.strict_json import HEADER_LIMITS, parse_object

__all__ = ["parse_placed"]


def parse_placed(token: str, place: CredentialPlace | None) -> UnverifiedToken:
    """Take a token apart that was found in `place`; raises `AuthError` as `parse_compact` does.

    >>> parse_placed("e30.e30.", None).claims
    Traceback (most recent call last):
        ...
    bearward.errors.AuthError: the token's header is malformed
    """
    if place is None or not (place.padded or place.header_claims):
        return parse_compact(token)
    segments = token.split(".")
    if place.padded:
        segments = [_without_padding(segment) for segment in segments]
    parsed = parse_compact(".".join(segments))
    signed = token.rpartition(".")[0].encode("ascii")  # ASCII, since all of its segments were decoded
    members = parse_object(decode(segments[0]), HEADER_LIMITS)
    claims = {name: value for name, value in parsed.claims.items() if name not in place.header_claims}
    claims |= {name: members[name] for name in place.header_claims if name in members}
    return parsed._replace(claims=claims, signing_input=signed)


def _without_padding(segment: str) -> str:
    """RFC 4648 section 5: as many `=` as make the length a multiple of four, or none."""
    bare = segment.rstrip("=")
    if len(bare) == len(segment):
        return segment
    if len(segment) != -(-len(bare) // 4) * 4:
        raise AuthError(Refusal.TOKEN_MALFORMED)
    return bare
