"""Creating JWS signatures (RFC 7518 section 3, RFC 8037 section 3.1, RFC 8812 section 3.2): the issuing side.

Rule of this file: it signs and never verifies, and it uses `cryptography` directly, so that a mistake on the verifying
side cannot cancel itself out.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bearward.jose.post_quantum import ML_DSA, MLDSAPublicKey

__all__ = ["CURVES", "PrivateKey", "new_ml_dsa_key", "sign"]


class MLDSAPrivateKey(Protocol):
    """What is used of cryptography's ML-DSA keys."""

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`."""

    def public_key(self) -> MLDSAPublicKey:
        """The public part."""


PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | MLDSAPrivateKey
    | bytes
)
"""What signs: a private key, or the octets of a secret for HS256 and its siblings."""

CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}

_EDWARDS: dict[str, tuple[type[ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey], ...]] = {
    "EdDSA": (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey),
    "Ed25519": (ed25519.Ed25519PrivateKey,),
    "Ed448": (ed448.Ed448PrivateKey,),
}

_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def sign(alg: str, key: PrivateKey, message: bytes) -> bytes:
    """The signature of `message` by the JWS algorithm `alg`.

    `none` gives no octets (RFC 7518 section 3.6). Raises `ValueError` if the key cannot serve the algorithm.
    """
    if alg == "none":
        return b""
    if alg.startswith("HS") and isinstance(key, bytes):
        return hmac.digest(key, message, _digest_name(alg))
    if isinstance(key, rsa.RSAPrivateKey) and alg[:2] in ("RS", "PS"):
        return key.sign(message, _rsa_padding(alg), _hash(alg))
    if isinstance(key, ec.EllipticCurvePrivateKey) and alg in CURVES:
        return _ecdsa(key, message, _hash(alg))
    if isinstance(key, _EDWARDS.get(alg, ())):
        return key.sign(message)
    if alg in ML_DSA and type(key).__name__.startswith(f"MLDSA{alg.removeprefix('ML-DSA-')}"):
        return cast("MLDSAPrivateKey", key).sign(message)
    raise ValueError(f"this key cannot sign by {alg}")


def new_ml_dsa_key(alg: str) -> MLDSAPrivateKey:
    """A new key for ML-DSA-44, -65 or -87 (FIPS 204); needs cryptography 47 or newer."""
    from cryptography.hazmat.primitives.asymmetric import mldsa

    made: MLDSAPrivateKey = getattr(mldsa, f"MLDSA{alg.removeprefix('ML-DSA-')}PrivateKey").generate()
    return made


def _hash(alg: str) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    # "ES256K" is SHA-256 too, so the digits are looked for and not the end of the name.
    return _HASHES[alg[2:5]]


def _digest_name(alg: str) -> str:
    return hashlib.new(f"sha{alg[2:5]}").name


def _rsa_padding(alg: str) -> padding.AsymmetricPadding:
    if alg.startswith("RS"):
        return padding.PKCS1v15()
    # RFC 7518 section 3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    return padding.PSS(mgf=padding.MGF1(_hash(alg)), salt_length=_hash(alg).digest_size)


def _ecdsa(
    key: ec.EllipticCurvePrivateKey, message: bytes, digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512
) -> bytes:
    """R and S side by side, each as long as the curve's order (RFC 7518 section 3.4), not DER."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    length = (key.curve.key_size + 7) // 8
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")
