"""Tokens that are bound to a client certificate (RFC 8705 section 3)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from bearward.confirmation import check_certificate, is_bound
from bearward.errors import AuthError
from bearward.jose.base64url import encode
from bearward.principal import Principal

CERTIFICATE = b"the DER of a certificate"
THUMBPRINT = encode(sha256(CERTIFICATE).digest()).decode()
OTHER = encode(sha256(b"another").digest()).decode()


def _principal(**claims: Any) -> Principal:
    return Principal({"iss": "https://login.example", **claims}, key_thumbprint="k")


def test_certificate_matches_its_thumbprint() -> None:
    """Its SHA-256 thumbprint is the token's `x5t#S256`."""
    principal = _principal(cnf={"x5t#S256": THUMBPRINT})
    assert is_bound(principal)
    check_certificate(principal, CERTIFICATE)


def test_unbound_token_passes_with_any_certificate() -> None:
    """It passes with any certificate and without one."""
    assert not is_bound(_principal())
    check_certificate(_principal(), CERTIFICATE)
    check_certificate(_principal(), None)


REFUSED: dict[str, tuple[Any, bytes | None]] = {
    "no certificate": ({"x5t#S256": THUMBPRINT}, None),
    "another certificate": ({"x5t#S256": OTHER}, CERTIFICATE),
    "a padded thumbprint": ({"x5t#S256": THUMBPRINT + "="}, CERTIFICATE),
    "a thumbprint cut short": ({"x5t#S256": THUMBPRINT[:-1]}, CERTIFICATE),
    "an empty thumbprint": ({"x5t#S256": ""}, CERTIFICATE),
    "a thumbprint of letters that are no ASCII": ({"x5t#S256": "é"}, CERTIFICATE),
    "a number": ({"x5t#S256": 1}, CERTIFICATE),
    "another method": ({"jkt": THUMBPRINT}, CERTIFICATE),
    "another method beside it": ({"x5t#S256": THUMBPRINT, "jkt": "x"}, CERTIFICATE),
    "an empty object": ({}, CERTIFICATE),
    "null": (None, CERTIFICATE),
    "a text": ("x5t#S256", CERTIFICATE),
    "a list": ([THUMBPRINT], CERTIFICATE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused(name: str) -> None:
    """A binding that cannot be checked is not proven (RFC 7800 section 3.1)."""
    confirmation, certificate = REFUSED[name]
    with pytest.raises(AuthError) as refused:
        check_certificate(_principal(cnf=confirmation), certificate)
    assert refused.value.code == "token_sender_constrained"
