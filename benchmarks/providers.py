"""The signature alone, by each library that can verify it: the floor below which no verification of a token can be.

Rule of this file: each takes a token apart in the cheapest way there is and looks at nothing but its signature; keys and
whatever can be prepared are prepared.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pybase64 import urlsafe_b64decode

from bearward.jose.ecdsa_der import to_der
from bearward.jose.jwk import VerificationKey, read_key

__all__ = ["PROVIDERS", "Check", "check_of", "octets_of", "signature_alone"]

Check = Callable[[str], object]
_Verify = Callable[[bytes, bytes], object]


def octets_of(token: str) -> tuple[bytes, bytes]:
    """What was signed, and the signature."""
    signed, _, signature = token.rpartition(".")
    return signed.encode(), urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


def check_of(verify: _Verify) -> Check:
    """Verify the signature of a token; raises where it is wrong."""

    def check(token: str) -> None:
        signed, _, signature = token.rpartition(".")
        if verify(urlsafe_b64decode(signature + "=="), signed.encode()) is False:
            raise ValueError("the signature is wrong")

    return check


def _by_cryptography(algorithm: str, key: VerificationKey) -> _Verify:
    public: Any = key._public  # noqa: SLF001
    digest = hashes.SHA256()
    verify = public.verify
    if algorithm == "RS256":
        pkcs = padding.PKCS1v15()
        return lambda signature, signed: verify(signature, signed, pkcs, digest)
    if algorithm == "PS256":
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return lambda signature, signed: verify(signature, signed, pss, digest)
    if algorithm == "ES256":
        scheme = ec.ECDSA(digest)
        return lambda signature, signed: verify(to_der(signature), signed, scheme)
    only: _Verify = verify
    return only


def _by_aws_lc(algorithm: str, key: VerificationKey) -> _Verify:
    from awscrt.crypto import EC, RSA, RSASignatureAlgorithm

    public: Any = key._public  # noqa: SLF001
    if algorithm == "ES256":
        curve = EC.new_key_from_der_data(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).verify
        return lambda signature, signed: curve(sha256(signed).digest(), to_der(signature))
    verify = RSA.new_public_key_from_der_data(public.public_bytes(Encoding.DER, PublicFormat.PKCS1)).verify
    names = {"RS256": RSASignatureAlgorithm.PKCS1_5_SHA256, "PS256": RSASignatureAlgorithm.PSS_SHA256}
    scheme = names[algorithm]
    return lambda signature, signed: verify(scheme, sha256(signed).digest(), signature)


_KNOWN: dict[str, Callable[[str, VerificationKey], _Verify]] = {"cryptography": _by_cryptography}
if find_spec("awscrt") is not None:
    _KNOWN["aws-lc"] = _by_aws_lc

PROVIDERS: dict[str, Callable[[str, VerificationKey], Check]] = {
    name: lambda algorithm, key, by=by: check_of(by(algorithm, key))  # type: ignore[misc]
    for name, by in _KNOWN.items()
}
"""By the library's name: from an algorithm and a key to the check of a token's signature."""


def signature_alone(jwks_uri: str, library: str) -> Check:
    """The check of an RS256 signature by `library` with the issuer's first key."""
    with urllib.request.urlopen(jwks_uri) as response:
        return PROVIDERS[library]("RS256", read_key(json.loads(response.read())["keys"][0]))
