"""A client's own key pair, and the DPoP proofs that it makes (RFC 9449 section 4.2).

Rule of this file: a private key never leaves its object, and no `repr` shows it.
"""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bearward.clock import SystemClock
from bearward.errors import ConfigurationError
from bearward.jose.base64url import encode

__all__ = ["DPoPKey"]

_HTM = "POST"


class DPoPKey:
    """A P-256 key pair of a client, for ES256 proofs; generated unless `private_key` is given.

    Raises `ConfigurationError` for a key of another kind.

    >>> key = DPoPKey()
    >>> key.proof("https://api.example/orders.v1.Orders/List", token="abc").count(".")
    2
    """

    __slots__ = ("_header", "_private", "jkt")

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        private = ec.generate_private_key(ec.SECP256R1()) if private_key is None else private_key
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise ConfigurationError("private_key", "must be a private key of P-256")
        point = private.public_key().public_numbers()
        x, y = (_text(number.to_bytes(32, "big")) for number in (point.x, point.y))
        jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        self._private = private
        self._header = _segment({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
        self.jkt: str = _text(sha256(_json(jwk)).digest())
        """The RFC 7638 thumbprint of the public key: the `cnf.jkt` of tokens that are bound to it."""

    def proof(self, htu: str, *, htm: str = _HTM, token: str | None = None, nonce: str | None = None) -> str:
        """A new proof for one request; with the `ath` of `token`, which a token endpoint's has not."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": htm,
            "htu": htu,
            "iat": int(SystemClock.now()),
        }
        if token is not None:
            claims["ath"] = _text(sha256(token.encode()).digest())
        if nonce is not None:
            claims["nonce"] = nonce
        signing_input = f"{self._header}.{_segment(claims)}"
        r, s = decode_dss_signature(self._private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signing_input}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def __repr__(self) -> str:
        return f"<DPoPKey {self.jkt}>"

    def __reduce__(self) -> str:
        raise TypeError("a DPoPKey is not pickled: its private part stays in this process")


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _segment(members: dict[str, Any]) -> str:
    return _text(_json(members))


def _text(octets: bytes) -> str:
    return encode(octets).decode("ascii")
