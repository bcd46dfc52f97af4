"""Certificates made for a run: self-signed ones for `x5c`, and a small authority for TLS with client certificates."""

from __future__ import annotations

import datetime as dt
import ipaddress
from base64 import b64decode, b64encode
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.interop.tokens import b64

__all__ = ["Authority", "thumbprint", "x5c", "x5t", "x5t_s256"]


def x5c(private_key: Any) -> str:
    """A self-signed certificate of the key, as RFC 7517 section 4.7 writes it."""
    return b64encode(_signed("issuer", private_key, "issuer", private_key)).decode()


def x5t(certificate: str) -> str:
    """RFC 7517 section 4.8, of what `x5c` answered."""
    return b64(sha1(b64decode(certificate), usedforsecurity=False).digest())


def x5t_s256(certificate: str) -> str:
    """RFC 7517 section 4.9, of what `x5c` answered."""
    return b64(sha256(b64decode(certificate)).digest())


def thumbprint(pem: Path) -> str:
    """`x5t#S256` of the first certificate in a file (RFC 8705 section 3.1)."""
    der = x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER)
    return b64(sha256(der).digest())


class Authority:
    """Signs certificates for loopback; files go to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / "ca.pem"
        self.file.write_bytes(_pem(_signed("authority", self._key, "authority", self._key, authority=True)))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key, as two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, private = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(_pem(_signed(name, key, "authority", self._key)))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _signed(subject: str, key: Any, issuer: str, signer: Any, *, authority: bool = False) -> bytes:
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    name, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer))
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder(by, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(signer_id, critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(signer, Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(Encoding.DER)
