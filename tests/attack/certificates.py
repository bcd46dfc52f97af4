"""A self-signed certificate for a key of the table, for `x5c` and as an HMAC secret."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from bearward.testing import SigningKey

__all__ = ["self_signed"]


def self_signed(key: SigningKey) -> x509.Certificate:
    """A certificate of this RSA or EC key about itself, valid for a day."""
    private = key._private
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attack")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, now - day, now + day)
    return builder.sign(private, hashes.SHA256())
