"""A public key in PEM, as a member of a JWK Set (RFC 7517 section 4): what some issuers publish in place of one.

Rule of this file: pure. One block, of a certificate (RFC 7468 section 5) or a public key (section 13); a private key is
refused, since it is no longer one. Whether the key may be used is decided where every JWK is.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bearward.jose.base64url import encode

__all__ = ["jwk_of_pem"]

_BLOCK: Final = re.compile(r"\s*-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*", re.ASCII)
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def jwk_of_pem(text: str, kid: str) -> dict[str, Any]:
    """The public key of one certificate, or one public key, in PEM; raises `ValueError`, never with the text.

    >>> jwk_of_pem("-----BEGIN PRIVATE KEY-----", "k1")
    Traceback (most recent call last):
        ...
    ValueError: not one certificate or public key in PEM
    """
    block = _BLOCK.fullmatch(text)
    if block is None:
        raise ValueError("not one certificate or public key in PEM")
    octets = text.strip().encode("ascii")
    try:
        public: Any = (
            x509.load_pem_x509_certificate(octets).public_key()
            if block[1] == "CERTIFICATE"
            else load_pem_public_key(octets)
        )
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ValueError("not one certificate or public key in PEM") from None
    return {**_members(public), "kid": kid, "use": "sig"}


def _members(public: object) -> dict[str, Any]:
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        point, length = public.public_numbers(), (public.curve.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": _CURVES[public.curve.name],
            "x": _number(point.x, length),
            "y": _number(point.y, length),
        }
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _text(public.public_bytes_raw())}
    raise ValueError("not a key of a kind that signs tokens")


def _number(number: int, length: int | None = None) -> str:
    """RFC 7518 sections 6.2.1.2 and 6.3.1.1: of a coordinate all octets, of other numbers no leading ones that are zero."""
    return _text(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


def _text(octets: bytes) -> str:
    return encode(octets).decode("ascii")
