"""What ties an ID token to one login: its nonce, and the hash of the access token that came with it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256, sha384, sha512
from typing import Any

import pytest

from bearward import AuthError, Principal
from bearward.jose.base64url import encode
from bearward.profiles import check_access_token, check_nonce

# OpenID Connect Core, appendix A.3: this access token, and its at_hash in the ID token signed by RS256.
ACCESS_TOKEN, AT_HASH = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "77QmUPtjPfzWtF2AnpK9RQ"


def _principal(**claims: Any) -> Principal:
    return Principal({"iss": "https://login.example", "sub": "ada", **claims}, key_thumbprint="k")


def _half(digest: Callable[..., Any]) -> str:
    whole = digest(ACCESS_TOKEN.encode()).digest()
    return encode(whole[: len(whole) // 2]).decode()


@pytest.mark.parametrize("at_hash", [AT_HASH, _half(sha384), _half(sha512)], ids=["sha256", "sha384", "sha512"])
def test_hash_of_the_access_token_is_accepted(at_hash: str) -> None:
    """The left half of the digest, by the hash of the signature's algorithm (section 3.1.3.6)."""
    check_access_token(_principal(at_hash=at_hash), ACCESS_TOKEN)


WRONG_HASHES: list[tuple[dict[str, Any], str]] = [
    ({}, "claim_missing"),
    ({"at_hash": _half(sha256)[:-2]}, "claim_malformed"),
    ({"at_hash": ""}, "claim_malformed"),
    ({"at_hash": 1}, "claim_malformed"),
    ({"at_hash": f"{AT_HASH}=="}, "claim_malformed"),
    ({"at_hash": encode(sha256(ACCESS_TOKEN.encode()).digest()).decode()}, "claim_mismatch"),
    ({"at_hash": encode(sha256(b"another").digest()[:16]).decode()}, "claim_mismatch"),
]


@pytest.mark.parametrize(("claims", "code"), WRONG_HASHES)
def test_hash_of_another_access_token_is_refused(claims: dict[str, Any], code: str) -> None:
    """A hash that is missing, is none, or is of another token."""
    with pytest.raises(AuthError) as caught:
        check_access_token(_principal(**claims), ACCESS_TOKEN)
    assert (caught.value.code, caught.value.claim) == (code, "at_hash")


def test_nonce_of_the_request_is_accepted() -> None:
    """The very text that was sent."""
    check_nonce(_principal(nonce="n-0S6_WzA2Mj"), "n-0S6_WzA2Mj")


WRONG_NONCES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "n-1", "claim_missing"),
    ({"nonce": "n-2"}, "n-1", "claim_mismatch"),
    ({"nonce": "N-1"}, "n-1", "claim_mismatch"),
    ({"nonce": 1}, "1", "claim_mismatch"),
    ({"nonce": ""}, "", "claim_mismatch"),
    ({"nonce": "é"}, "n-1", "claim_mismatch"),
]


@pytest.mark.parametrize(("claims", "nonce", "code"), WRONG_NONCES)
def test_nonce_of_another_request_is_refused(claims: dict[str, Any], nonce: str, code: str) -> None:
    """A nonce that is missing or another, and an empty one, which ties nothing to anything."""
    with pytest.raises(AuthError) as caught:
        check_nonce(_principal(**claims), nonce)
    assert (caught.value.code, caught.value.claim) == (code, "nonce")
