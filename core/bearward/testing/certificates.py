"""A client with a certificate, for tokens that are bound to one (RFC 8705), and what a proxy forwards of it.

Rule of this file: it writes what it is asked to, right or wrong. No check of the verifying side is repeated here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from base64 import b64encode
from typing import Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bearward.client_certificates import CertificateForm
from bearward.jose.base64url import encode

__all__ = ["CertificateClient"]

_DAY: Final = dt.timedelta(days=1)


class CertificateClient:
    """A client with a self-signed certificate for `name`: `issuer.mint(bound_to=client)` binds a token to it.

    >>> client = CertificateClient()
    >>> sorted(client.cnf)
    ['x5t#S256']
    >>> client.forwarded("client-cert")["client-cert"].startswith(":")
    True
    """

    def __init__(self, name: str = "client") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), dt.datetime.now(dt.UTC)
        number = x509.random_serial_number()
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), number, now - _DAY, now + _DAY)
        self._certificate = builder.sign(key, hashes.SHA256())
        self._name = name

    @property
    def der(self) -> bytes:
        """The certificate in DER, as `check_certificate` takes it."""
        return self._certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return self._certificate.public_bytes(Encoding.PEM).decode("ascii")

    @property
    def thumbprint(self) -> str:
        """Its SHA-256 thumbprint (RFC 8705 section 3.1)."""
        return encode(hashlib.sha256(self.der).digest()).decode("ascii")

    @property
    def cnf(self) -> dict[str, str]:
        """The claim that binds a token to it."""
        return {"x5t#S256": self.thumbprint}

    def forwarded(self, form: CertificateForm) -> dict[str, str]:
        """The header field by which a proxy forwards it, in the form of that proxy and under its usual name."""
        escaped, bare = quote(self.pem, safe=""), b64encode(self.der).decode("ascii")
        return {
            "xfcc": {"x-forwarded-client-cert": f'Hash={hashlib.sha256(self.der).hexdigest()};Cert="{escaped}"'},
            "escaped-pem": {"x-client-cert": escaped},
            "client-cert": {"client-cert": f":{bare}:"},
            "base64-der": {"x-client-cert": bare},
            "alb": {"x-amzn-mtls-clientcert": quote(self.pem, safe="+=/")},
        }[form]

    def __repr__(self) -> str:
        return f"<CertificateClient {self._name!r} {self.thumbprint}>"
