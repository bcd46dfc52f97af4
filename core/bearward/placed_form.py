"""A token as some proxies in front write it: base64url with padding, and claims in the JOSE header.

Rules of this file: this form counts in the place of such a proxy and nowhere else. The signature is over the text as it
was sent, header and payload with their padding or without, and has its own: so nothing that was signed has two spellings.
A claim that belongs into the header is taken from there alone, and may stand in the payload beside it only if both say the
same (RFC 7519 section 5.3): the payload is what an identity provider, or its user, says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bearward.claim_paths import json_equal
from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError
from bearward.jose.base64url import decode
from bearward.jose.compact import UnverifiedToken, parse_compact
from bearward.jose.strict_json import HEADER_LIMITS, parse_object
from bearward.refusals import Refusal

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
        if len(segments[-1]) % 4:
            raise AuthError(Refusal.TOKEN_MALFORMED)
        segments = [_without_padding(segment) for segment in segments]
    parsed = parse_compact(".".join(segments))
    signed = token.rpartition(".")[0].encode("ascii")  # ASCII, since all of its segments were decoded
    members = parse_object(decode(segments[0]), HEADER_LIMITS)
    return parsed._replace(claims=_claims(parsed.claims, members, place.header_claims), signing_input=signed)


def _claims(payload: Mapping[str, Any], header: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    for name in names:
        if name in header and name in payload and not json_equal(payload[name], header[name]):
            raise AuthError(Refusal.PAYLOAD_MALFORMED)
    own = {name: value for name, value in payload.items() if name not in names}
    return own | {name: header[name] for name in names if name in header}


def _without_padding(segment: str) -> str:
    """RFC 4648 section 5: as many `=` as make the length a multiple of four, or none."""
    bare = segment.rstrip("=")
    if len(bare) == len(segment):
        return segment
    if len(segment) != -(-len(bare) // 4) * 4:
        raise AuthError(Refusal.TOKEN_MALFORMED)
    return bare
