"""The boundary for AWS-LC, by `awscrt`: RS256, PS256 and ES256 at about three quarters of the cost.

Rules of this file: nothing else imports `awscrt`, and no exception of it leaves this file. Its keys come from public keys
that `cryptography` has parsed and that were checked here. What AWS-LC does not take, a key or a signature, is decided by
the key that it stands in front of, by `cryptography`: the verdict is the same with and without it.

It is used where it is installed (`pip install 'bearward[aws-lc]'`), for all keys of the process.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearward.jose.ecdsa_der import to_der
from bearward.jose.verifying_key import PublicKey, VerifyingKey

try:
    from awscrt.crypto import EC, RSA, RSASignatureAlgorithm
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["ALGORITHMS", "in_front_of", "is_installed", "is_used", "use"]

ALGORITHMS: Final = ("ES256", "PS256", "RS256")
"""What AWS-LC verifies; every other algorithm is left to `cryptography`."""

_SHA256 = sha256()
"""Copied for each signature: OpenSSL looks a hash up by name for every new one."""
_in_use = _INSTALLED


def is_installed() -> bool:
    """Whether `awscrt` can be imported."""
    return _INSTALLED


def is_used() -> bool:
    """Whether keys that are made from now on verify by AWS-LC."""
    return _in_use


def use(wanted: bool) -> None:  # noqa: FBT001  (it says what it does)
    """Have keys that are made from now on verify by AWS-LC, if it is installed, or by `cryptography` alone.

    Call it before verifiers are made: keys that have verified a signature keep their library.
    """
    global _in_use  # noqa: PLW0603  (one library for the process, as the import of it is)
    _in_use = wanted and _INSTALLED


def in_front_of(key: VerifyingKey, algorithm: str, public: PublicKey) -> VerifyingKey:
    """A key that asks AWS-LC, and `key` where AWS-LC has no verdict; `key` itself if AWS-LC does not take `public`."""
    if not _in_use or algorithm not in ALGORITHMS:
        return key
    try:
        return _made(key, algorithm, public)
    except Exception:  # noqa: BLE001  (awscrt's errors have no class of their own, and `cryptography` takes the key)
        return key


def _made(key: VerifyingKey, algorithm: str, public: PublicKey) -> VerifyingKey:
    if isinstance(public, rsa.RSAPublicKey):
        native = RSA.new_public_key_from_der_data(public.public_bytes(Encoding.DER, PublicFormat.PKCS1))
        schemes = {"RS256": RSASignatureAlgorithm.PKCS1_5_SHA256, "PS256": RSASignatureAlgorithm.PSS_SHA256}
        return _RSAKey(key, native, int(schemes[algorithm]))
    if isinstance(public, ec.EllipticCurvePublicKey):
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _ECKey(key, EC.new_key_from_der_data(spki))
    return key


class _RSAKey:
    """RSASSA-PKCS1-v1_5 and RSASSA-PSS with SHA-256, the salt as long as the hash."""

    __slots__ = ("_otherwise", "_scheme", "_verify")

    def __init__(self, key: VerifyingKey, native: Any, scheme: int) -> None:
        self._otherwise = key.verify
        self._scheme = scheme
        self._verify: Callable[[int, bytes, bytes], object] = native.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        digest = _SHA256.copy()
        digest.update(msg)
        try:
            return self._verify(self._scheme, digest.digest(), sig) is True
        except Exception:  # noqa: BLE001
            return self._otherwise(msg, sig)


class _ECKey:
    """ECDSA on P-256 with SHA-256."""

    __slots__ = ("_otherwise", "_verify")

    def __init__(self, key: VerifyingKey, native: Any) -> None:
        self._otherwise = key.verify
        self._verify: Callable[[bytes, bytes], object] = native.verify

    def verify(self, msg: bytes, sig: bytes) -> bool:
        digest = _SHA256.copy()
        digest.update(msg)
        try:
            return self._verify(digest.digest(), to_der(sig)) is True
        except Exception:  # noqa: BLE001
            return self._otherwise(msg, sig)
