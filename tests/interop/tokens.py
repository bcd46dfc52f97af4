"""Tokens taken apart and put together again, by hand: what a forger does.

Rule of this file: nothing of bearward is used here, so that a mistake of ours cannot hide itself.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256, sha512
from typing import Any

import httpx2

from tests.interop import loopback

__all__ = [
    "b64",
    "claims_of",
    "header_of",
    "hs256",
    "hs512",
    "joined",
    "post_form",
    "signed",
    "unb64",
    "wait_until_expired",
]


def b64(data: bytes | dict[str, Any]) -> str:
    """Base64url without padding, of octets or of compact JSON."""
    octets = json.dumps(data, separators=(",", ":")).encode() if isinstance(data, dict) else data
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The octets of a segment."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header_of(token: str) -> dict[str, Any]:
    """The header, unverified."""
    header: dict[str, Any] = json.loads(unb64(token.split(".", maxsplit=1)[0]))
    return header


def claims_of(token: str) -> dict[str, Any]:
    """The payload, unverified."""
    claims: dict[str, Any] = json.loads(unb64(token.split(".")[1]))
    return claims


def joined(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """A compact JWS of these parts, whether they fit each other or not."""
    return f"{b64(header)}.{b64(claims)}.{b64(signature)}"


def signed(head: str, claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A compact JWS of a header that is encoded already, signed by `sign`."""
    signing_input = f"{head}.{b64(claims)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def hs256(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """A token that is signed with `secret`, whatever the header says it is."""
    return signed(b64(header), claims, lambda octets: hmac.new(secret, octets, sha256).digest())


def hs512(head: str, claims: dict[str, Any], secret: bytes) -> str:
    """The same of an encoded header, with SHA-512."""
    return signed(head, claims, lambda octets: hmac.new(secret, octets, sha512).digest())


def post_form(url: str, form: dict[str, str], *, auth: tuple[str, str] | None = None) -> dict[str, Any]:
    """The JSON answer of a token endpoint; raises where it is no 2xx."""
    response = loopback.post(url, data=form, auth=auth or httpx2.USE_CLIENT_DEFAULT)
    if not response.is_success:
        raise RuntimeError(f"{url}: {response.status_code} {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


def wait_until_expired(token: str) -> None:
    """Sleep until the token's `exp` has passed, a little more at most."""
    left = claims_of(token)["exp"] - time.time()
    if left > 30:
        raise RuntimeError(f"the token lives {left:.0f} s more: too long to wait for")
    time.sleep(max(0.0, left) + 0.05)
