"""What the demo tries: one row per story, with the response that both transports must give.

Rule of this file: data, and where each token comes from. Good tokens are requested over HTTP; forged ones are made from
good ones and from what an issuer publishes, which is all that an attacker has.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearward.testing import SigningKey, compact, json_octets, sign_segments, tamper

__all__ = ["CASES", "Case", "Issuers"]

READ_WRITE = "notes:read notes:write"


class Issuers:
    """The trusted issuer and another one, over HTTP."""

    def __init__(self, client: httpx2.Client, trusted: str, untrusted: str) -> None:
        self._client = client
        self._trusted = trusted
        self._untrusted = untrusted
        self.token = self.granted()
        """A good token, the material of forgeries."""
        self.first = self.token
        """The same, kept while the keys roll."""

    def granted(self, scope: str = READ_WRITE, *, untrusted: bool = False, **form: str) -> str:
        """A token from `POST /token`."""
        url = self._untrusted if untrusted else self._trusted
        form = {"grant_type": "client_credentials", "client_id": "ada", "scope": scope, **form}
        token: str = self._client.post(f"{url}/token", data=form).raise_for_status().json()["access_token"]
        return token

    def expired(self) -> str:
        """A token that lived one second, once that second is over."""
        token = self.granted(lifetime="1")
        time.sleep(max(0.0, self.claims(token)["exp"] - time.time()) + 0.05)
        return token

    def roll(self, step: str) -> None:
        """`rotate` or `withdraw` the issuer's signing key."""
        self._client.post(f"{self._trusted}/{step}").raise_for_status()

    def public_key(self) -> bytes:
        """The first key of the issuer's JWK Set, as PEM."""
        jwk = self._client.get(f"{self._trusted}/jwks").raise_for_status().json()["keys"][0]
        e, n = (int.from_bytes(_octets(jwk[name]), "big") for name in ("e", "n"))
        return RSAPublicNumbers(e, n).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def kid(self) -> str:
        """The `kid` in the good token's header."""
        kid: str = json.loads(_octets(self.token.split(".")[0]))["kid"]
        return kid

    @staticmethod
    def claims(token: str) -> Any:
        """The claims of a token, read as anybody can."""
        return json.loads(_octets(token.split(".")[1]))


@dataclass(frozen=True, slots=True)
class Case:
    """What is tried, the token for it, whether it writes, and the code of the refusal (None: let in)."""

    what: str
    token: Callable[[Issuers], str | None]
    refused: str | None
    status: int = 401
    grpc: str = "UNAUTHENTICATED"
    write: bool = False


def _unsigned(issuers: Issuers) -> str:
    return compact(json_octets({"alg": "none", "typ": "at+jwt"}), json_octets(issuers.claims(issuers.token)), b"")


def _confused(issuers: Issuers) -> str:
    header = json_octets({"alg": "HS256", "typ": "at+jwt", "kid": issuers.kid()})
    secret = SigningKey.symmetric(issuers.public_key())
    return sign_segments(header, json_octets(issuers.claims(issuers.token)), secret)


def _rotated_in(issuers: Issuers) -> str:
    issuers.roll("rotate")
    return issuers.granted()


def _rotated_out(issuers: Issuers) -> str:
    issuers.roll("rotate")
    issuers.roll("withdraw")
    return issuers.granted()


def _granted(what: str, token: Callable[[Issuers], str | None]) -> Case:
    return Case(what, token, None, 200, "OK")


CASES = (
    _granted("a good token", lambda issuers: issuers.token),
    Case("no token", lambda _: None, "credentials_missing"),
    Case("expired", Issuers.expired, "token_expired"),
    Case("wrong audience", lambda issuers: issuers.granted(audience="https://other.example"), "audience_mismatch"),
    Case("wrong issuer", lambda issuers: issuers.granted(untrusted=True), "issuer_untrusted"),
    Case("tampered payload", lambda issuers: tamper(issuers.token, sub="root"), "signature_invalid"),
    Case("alg: none", _unsigned, "algorithm_not_allowed"),
    Case("HS256 signed with the public key", _confused, "algorithm_not_allowed"),
    Case(
        "missing scope",
        lambda issuers: issuers.granted("notes:read"),
        "scope_insufficient",
        403,
        "PERMISSION_DENIED",
        write=True,
    ),
    _granted("a new key, rotated in while running", _rotated_in),
    _granted("  a token of the previous key", lambda issuers: issuers.first),
    _granted("a new key, the others withdrawn", _rotated_out),
    Case("a token of a withdrawn key", lambda issuers: issuers.first, "key_unknown"),
)


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
