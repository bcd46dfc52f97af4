"""Whether octets given as a shared secret are a key that others know (RFC 8725 section 2.1).

Rule of this file: a public key is not a secret, in whatever form: PEM, DER, OpenSSH, JWK, a certificate, or the base64
or hex of one of those. A private key, or a JWK that holds a secret, is refused too: its text is not its secret. What
has no recognizable form (a bare Ed25519 key, a modulus) cannot be distinguished from a secret.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from bearward.jose.post_quantum import ML_DSA_KEY_LENGTHS

__all__ = ["is_key_material"]

_ARMOR = re.compile(rb"---- ?BEGIN ")  # RFC 7468 and, with a space, RFC 4716
_SSH = re.compile(rb"ssh-(?:rsa|dss|ed25519|ed448)\b|ecdsa-sha2-nist|sk-(?:ssh|ecdsa)-")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){24,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_MAX_LAYERS = 3
_CURVES: dict[int, ec.EllipticCurve] = {65: ec.SECP256R1(), 97: ec.SECP384R1(), 133: ec.SECP521R1()}
_DER_READERS: tuple[Callable[[bytes], object], ...] = (
    load_der_public_key,
    lambda octets: load_der_private_key(octets, None),
    x509.load_der_x509_certificate,
    x509.load_der_x509_csr,
)


def is_key_material(secret: bytes) -> bool:
    """Whether `secret` is a public key, a private key or a certificate in a form that is known here.

    >>> is_key_material(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
    True
    >>> is_key_material(bytes(range(32)))
    False
    """
    return any(_is_written_key(layer) for layer in _layers(secret))


def _layers(octets: bytes, depth: int = 0) -> Iterator[bytes]:
    """The octets, and what they are the base64 or hex of, with white space anywhere."""
    yield octets
    if depth == _MAX_LAYERS:
        return
    dense = b"".join(octets.split())
    if _HEX.fullmatch(dense):
        yield from _layers(binascii.unhexlify(dense), depth + 1)
    if _BASE64.fullmatch(dense):
        text = dense.rstrip(b"=").translate(_URL_SAFE)
        if len(text) % 4 != 1:
            yield from _layers(binascii.a2b_base64(text + b"=" * (-len(text) % 4)), depth + 1)


def _is_written_key(octets: bytes) -> bool:
    return bool(_ARMOR.search(octets) or _SSH.search(octets)) or _is_jwk(octets) or _is_der(octets) or _is_raw(octets)


def _is_jwk(octets: bytes) -> bool:
    try:
        members: Any = json.loads(octets.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and ("kty" in members or "keys" in members)


def _is_der(octets: bytes) -> bool:
    if octets[:1] != b"\x30":  # a SEQUENCE, which each of them is
        return False
    return any(_can_be_read(octets, read) for read in _DER_READERS)


def _can_be_read(octets: bytes, read: Callable[[bytes], object]) -> bool:
    try:
        read(octets)
    except Exception:  # noqa: BLE001  (cryptography has its own error for each way to fail)
        return False
    return True


def _is_raw(octets: bytes) -> bool:
    """An uncompressed point; or as long as an ML-DSA key, of which any octets are one (FIPS 204) and no secret is."""
    return len(octets) in ML_DSA_KEY_LENGTHS or _is_point(octets)


def _is_point(octets: bytes) -> bool:
    """An uncompressed point of a curve (SEC 1 section 2.3.3), which no random octets are."""
    curve = _CURVES.get(len(octets))
    if curve is None or octets[:1] != b"\x04":
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, octets)
    except ValueError:
        return False
    return True
