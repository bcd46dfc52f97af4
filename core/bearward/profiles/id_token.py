"""What ties an ID token to one login: the nonce, and the hash of the access token (OpenID Connect Core).

Rule of this file: pure. The principal is verified already; these compare what only the application knows.
"""

from __future__ import annotations

from hashlib import sha256, sha384, sha512
from hmac import compare_digest

from bearward.errors import AuthError
from bearward.jose import base64url
from bearward.principal import Principal
from bearward.refusals import Refusal

__all__ = ["check_access_token", "check_nonce"]

_HASHES = {16: sha256, 24: sha384, 32: sha512}
"""By half the length of the digest: the signature's own algorithm decides (section 3.1.3.6), and its length shows it."""


def check_nonce(principal: Principal, nonce: str) -> None:
    """Raise `AuthError` unless the ID token answers the request that was sent with this `nonce` (section 3.1.3.7).

    Refusals: CLAIM_MISSING, CLAIM_MISMATCH.

    >>> check_nonce(Principal({"iss": "https://login.example", "nonce": "n-1"}, key_thumbprint="k"), "n-1")
    """
    held = principal.claims.get("nonce")
    if held is None:
        raise AuthError(Refusal.CLAIM_MISSING, claim="nonce")
    if not isinstance(held, str) or not nonce or not compare_digest(held.encode(), nonce.encode()):
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="nonce")


def check_access_token(principal: Principal, access_token: str) -> None:
    """Raise `AuthError` unless the ID token was issued together with `access_token`: `at_hash` (section 3.1.3.6).

    Refusals: CLAIM_MISSING, CLAIM_MALFORMED, CLAIM_MISMATCH.
    """
    held = principal.claims.get("at_hash")
    if held is None:
        raise AuthError(Refusal.CLAIM_MISSING, claim="at_hash")
    digest = _HASHES.get(len(_octets(held)))
    if digest is None:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="at_hash")
    whole = digest(access_token.encode("utf-8", "replace")).digest()
    if not compare_digest(_octets(held), whole[: len(whole) // 2]):
        raise AuthError(Refusal.CLAIM_MISMATCH, claim="at_hash")


def _octets(claim: object) -> bytes:
    try:
        return base64url.decode(claim) if isinstance(claim, str) else b""
    except ValueError:
        raise AuthError(Refusal.CLAIM_MALFORMED, claim="at_hash") from None
