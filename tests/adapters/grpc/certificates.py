"""Throw-away certificates for TLS and mutual TLS on loopback."""

from __future__ import annotations

import datetime as dt
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Certified(NamedTuple):
    """A key and its certificate."""

    key: bytes
    pem: bytes
    thumbprint: str
    """`x5t#S256` (RFC 8705 section 3.1)."""


class Authority:
    """Signs certificates for servers and clients."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away")])
        self.pem = self._signed(self._name, self._key.public_key(), authority=True).public_bytes(Encoding.PEM)

    def certify(self, name: str) -> Certified:
        """A new key with a certificate for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key.public_key(), authority=False, name=name)
        digest = sha256(certificate.public_bytes(Encoding.DER)).digest()
        return Certified(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate.public_bytes(Encoding.PEM),
            urlsafe_b64encode(digest).rstrip(b"=").decode(),
        )

    def server(self, *, mutual: bool = False) -> grpc.ServerCredentials:
        """Credentials for a server on localhost; `mutual` demands a certificate of its clients."""
        own = self.certify("localhost")
        return grpc.ssl_server_credentials([(own.key, own.pem)], self.pem, require_client_auth=mutual)

    def client(self, own: Certified | None = None) -> grpc.ChannelCredentials:
        """Credentials for a client."""
        return grpc.ssl_channel_credentials(self.pem, own and own.key, own and own.pem)

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool, name: str = "authority"
    ) -> x509.Certificate:
        now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - day, now + day)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())
