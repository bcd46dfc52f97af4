"""Writing tokens: honest ones and hostile ones (RFC 7515 section 3.1, the compact serialization).

Rule of this file: it writes what it is asked to, right or wrong. No check of the verifying side is repeated here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from bearward.jose.base64url import decode, encode

__all__ = ["Signer", "compact", "json_octets", "sign_segments", "tamper"]


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


def tamper(token: str, **claims: Any) -> str:
    """The token with claims replaced and the old signature kept: it must never verify."""
    header, payload, signature = token.encode("ascii").split(b".")
    changed = json.loads(decode(payload)) | claims
    return b".".join((header, encode(json_octets(changed)), signature)).decode("ascii")
