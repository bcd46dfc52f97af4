"""ML-DSA (FIPS 204) for JOSE (RFC 9964), if the installed `cryptography` has it.

Rules of this file: pure. Nothing here is accepted unless an issuer's `algorithms` name it. Keys have the type `AKP`: their
`alg` is required, and says all that a curve would.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["COSTS", "ML_DSA", "ML_DSA_KEY_LENGTHS", "SIGNATURE_LENGTHS", "MLDSAPublicKey", "is_supported", "public_key"]

SIGNATURE_LENGTHS: Final = {"ML-DSA-44": 2420, "ML-DSA-65": 3309, "ML-DSA-87": 4627}
"""In octets; as text a third more, so that a token has between 3,500 and 7,000 characters."""
_KEY_LENGTHS: Final = {"ML-DSA-44": 1312, "ML-DSA-65": 1952, "ML-DSA-87": 2592}
COSTS: Final = {"ML-DSA-44": 130.0, "ML-DSA-65": 200.0, "ML-DSA-87": 320.0}
"""Microseconds of a core for one check."""
ML_DSA: Final = frozenset(SIGNATURE_LENGTHS)
ML_DSA_KEY_LENGTHS: Final = frozenset(_KEY_LENGTHS.values())


class MLDSAPublicKey(Protocol):
    """What is used of cryptography's ML-DSA keys, which versions before 47 do not have."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise `InvalidSignature` unless `signature` is that of `data`."""

    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes:  # noqa: A002  (cryptography's own name)
        """The key as text or octets."""


def public_key(algorithm: str, octets: bytes) -> MLDSAPublicKey:
    """The key of these octets (FIPS 204 section 4); raises `ValueError` for other lengths, or without support."""
    if len(octets) != _KEY_LENGTHS[algorithm]:
        raise ValueError("an ML-DSA public key of another length")
    try:
        made: MLDSAPublicKey = _key_class(algorithm).from_public_bytes(octets)
    except (ImportError, AttributeError, UnsupportedAlgorithm):
        raise ValueError("ML-DSA is not supported by the installed cryptography") from None
    return made


def is_supported(algorithm: str) -> bool:
    """Whether the installed `cryptography`, with the library that it was built with, verifies `algorithm`."""
    try:
        public_key(algorithm, bytes(_KEY_LENGTHS[algorithm]))
    except ValueError:
        return False
    return True


def _key_class(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    return getattr(mldsa, f"MLDSA{algorithm.removeprefix('ML-DSA-')}PublicKey")
