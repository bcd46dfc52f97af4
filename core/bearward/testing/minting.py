"""Writing tokens: honest ones and hostile ones (RFC 7515 section 3.1, the compact serialization).

Rule of this file: it writes what it is asked to, right or wrong. No check of the verifying side is repeated here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from bearward.credential_place import CredentialPlace
from bearward.jose.base64url import decode, encode

__all__ = ["Signer", "compact", "json_octets", "sign_placed", "sign_segments", "tamper"]


class Signer(Protocol):
    """Something that signs octets: a `SigningKey`."""

    def sign(self, message: bytes, alg: str | None = None) -> bytes:
        """The signature of `message`."""
        ...


def json_octets(members: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; `Infinity` and `NaN` pass through as Python writes them, which is no JSON."""
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def compact(header: bytes, payload: bytes, signature: bytes) -> str:
    """`BASE64URL(header) . BASE64URL(payload) . BASE64URL(signature)`.

    >>> compact(b'{"alg":"none"}', b"{}", b"")
    'eyJhbGciOiJub25lIn0.e30.'
    """
    return b".".join(map(encode, (header, payload, signature))).decode("ascii")


def sign_segments(header: bytes, payload: bytes, key: Signer, alg: str | None = None) -> str:
    """A token of any octets as header and payload, correctly signed: for what no honest issuer would write."""
    signing_input = encode(header) + b"." + encode(payload)
    return compact(header, payload, key.sign(signing_input, alg))


def sign_placed(
    header: Mapping[str, Any], payload: Mapping[str, Any], key: Signer, alg: str, place: CredentialPlace
) -> str:
    """A token as the proxy of `place` writes it: claims in the header, segments with padding, signed as they are written."""
    moved = {name: value for name, value in payload.items() if name in place.header_claims}
    left = {name: value for name, value in payload.items() if name not in place.header_claims}
    members = json_octets({**header, **moved}), json_octets(left)
    if not place.padded:
        return sign_segments(*members, key, alg)
    signed = b".".join(map(_padded, members))
    return b".".join((signed, _padded(key.sign(signed, alg)))).decode("ascii")


def _padded(octets: bytes) -> bytes:
    text = encode(octets)
    return text + b"=" * (-len(text) % 4)


def tamper(token: str, **claims: Any) -> str:
    """The token with claims replaced and the old signature kept: it must never verify."""
    header, payload, signature = token.encode("ascii").split(b".")
    changed = json.loads(decode(payload)) | claims
    return b".".join((header, encode(json_octets(changed)), signature)).decode("ascii")
