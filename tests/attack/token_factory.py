"""What an attacker and an honest issuer have in common: keys, and tokens of any octets signed with them.

Rule of this file: tokens are honest unless a caller changes something by name. `None` as a claim's or a header
member's new value means JSON's null; `OUT` takes the member away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from bearward.jose.base64url import encode
from bearward.testing import SigningKey, json_octets

__all__ = ["OUT", "TokenFactory", "b64", "segments"]

OUT: Final = object()

KEYS = {
    "rsa": "RS256",
    "rsa-384": "RS384",
    "rsa-512": "RS512",
    "pss": "PS256",
    "pss-384": "PS384",
    "pss-512": "PS512",
    "p256": "ES256",
    "p384": "ES384",
    "p521": "ES512",
    "ed25519": "EdDSA",
    "ed25519-named": "Ed25519",
    "ed448": "Ed448",
}
"""`kid` and `alg` of the published keys."""


def b64(octets: bytes | str) -> bytes:
    """Base64url of octets or of a text in UTF-8."""
    return encode(octets.encode() if isinstance(octets, str) else octets)


def segments(*parts: bytes) -> bytes:
    """Segments, joined by dots."""
    return b".".join(parts)


class TokenFactory:
    """Keys and tokens for one issuer. `now` is in whole seconds since the epoch, `canary` a URL nobody may fetch."""

    def __init__(self, issuer: str, audience: str, now: int, canary: str) -> None:
        self.issuer, self.audience, self.now, self.canary = issuer, audience, now, canary
        self.keys = {kid: SigningKey.generate(alg, kid=kid) for kid, alg in KEYS.items()}
        self.keys["any"] = SigningKey.generate("RS256", kid="any")
        cubic = rsa.generate_private_key(public_exponent=3, key_size=2048)
        self.keys["cubic"] = SigningKey(cubic, "RS256", "cubic")
        self.unpublished = {
            "weak": SigningKey.generate("RS256", kid="weak", bits=1024),
            "enc": SigningKey.generate("RS256", kid="enc"),
            "ops": SigningKey.generate("ES256", kid="ops"),
            "koblitz": SigningKey.generate("ES256K", kid="koblitz"),
            "unpublished": SigningKey.generate("RS256", kid="unpublished"),
            "unpublished-ec": SigningKey.generate("ES256", kid="unpublished-ec"),
            "unpublished-ed": SigningKey.generate("EdDSA", kid="unpublished-ed"),
        }
        self.secret = b"a secret that the issuer should not have published"

    def jwks(self) -> dict[str, Any]:
        """The issuer's JWK Set: all published keys, and some that nobody may use."""
        odd = self.unpublished
        keys = [key.public_jwk() for kid, key in self.keys.items() if kid != "any"]
        keys.append(self.keys["any"].public_jwk(alg=None, use=None))
        keys += [
            odd["weak"].public_jwk(),
            odd["enc"].public_jwk(use="enc", alg=None),
            odd["ops"].public_jwk(use=None, key_ops=["sign"]),
            odd["koblitz"].public_jwk(),
            {"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(self.secret).decode()},
            {"kty": "RSA", "kid": "one", "alg": "RS256", "n": self.keys["rsa"].public_jwk()["n"], "e": "AQ"},
            {"kty": "OKP", "kid": "small", "crv": "Ed25519", "x": b64(bytes([1]) + bytes(31)).decode()},
        ]
        return {"keys": keys}

    def header(self, key: SigningKey, /, **changes: Any) -> dict[str, Any]:
        """An honest header for `key`, changed."""
        return _changed({"alg": key.alg, "typ": "at+jwt", "kid": key.kid}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """An honest claims set, changed."""
        honest = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": self.audience,
            "client_id": "client",
            "iat": self.now - 5,
            "exp": self.now + 3600,
            "jti": "1",
        }
        return _changed(honest, changes)

    def key(self, name: str) -> SigningKey:
        """A key by its `kid`, published or not."""
        return self.keys.get(name) or self.unpublished[name]

    def sign(
        self,
        key: str | SigningKey = "rsa",
        *,
        header: Mapping[str, Any] | bytes | None = None,
        claims: Mapping[str, Any] | bytes | None = None,
        alg: str | None = None,
    ) -> bytes:
        """A signed token; `header` and `claims` are changes, or the octets themselves; `alg` is how it is signed."""
        signer = self.key(key) if isinstance(key, str) else key
        first = header if isinstance(header, bytes) else json_octets(self.header(signer, **(header or {})))
        second = claims if isinstance(claims, bytes) else json_octets(self.claims(**(claims or {})))
        signing_input = segments(b64(first), b64(second))
        return segments(signing_input, b64(signer.sign(signing_input, alg)))

    def parts(self, key: str = "rsa", **changes: Any) -> tuple[bytes, bytes, bytes]:
        """The three segments of a signed token."""
        first, second, third = self.sign(key, **changes).split(b".")
        return first, second, third

    def signed(self, first: bytes, second: bytes, key: str = "rsa", alg: str | None = None) -> bytes:
        """A token of any two segments, signed as they stand."""
        signing_input = segments(first, second)
        return segments(signing_input, b64(self.key(key).sign(signing_input, alg)))

    def with_signature(self, signature: bytes, key: str = "rsa", **changes: Any) -> bytes:
        """An honest token whose signature is replaced."""
        first, second, _ = self.parts(key, **changes)
        return segments(first, second, b64(signature))

    def payload(self, **changes: Any) -> bytes:
        """The octets of a claims set as `json.dumps` writes them, with white space."""
        return json.dumps(self.claims(**changes)).encode()


def _changed(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not OUT}
