"""Servers that ask for a client's certificate, with an authority made for the occasion; a small https one."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import ssl
import threading
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificates", "MutualTLSServer"]


class Certificates:
    """An authority in `directory`, with a certificate for a server on 127.0.0.1 and one for a client."""

    def __init__(self, directory: Path) -> None:
        authority_key, authority = _certificate("an authority", None)
        server_key, server = _certificate("a server", (authority_key, authority))
        client_key, client = _certificate("a service", (authority_key, authority))
        self.ca_file = _write(directory / "ca.pem", authority)
        self.client_file = _write(directory / "client.pem", client, client_key)
        self.server_file = _write(directory / "server.pem", server, server_key)

    def server_context(self) -> ssl.SSLContext:
        """For a server that asks for a client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file)
        context.load_verify_locations(self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


class MutualTLSServer(Certificates):
    """Answers any GET with `body`, to clients whose certificate its authority signed; remembers their names."""

    def __init__(self, directory: Path, body: bytes) -> None:
        super().__init__(directory)
        self.subjects: list[str] = []
        self._server = http.server.HTTPServer(("127.0.0.1", 0), self._handler(body), bind_and_activate=True)
        context = self.server_context()
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _handler(self, body: bytes) -> type[http.server.BaseHTTPRequestHandler]:
        subjects = self.subjects

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                certificate: Any = self.connection.getpeercert()
                subjects.append(dict(pair for (pair,) in certificate["subject"])["commonName"])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """A test's output is its own."""

        return Handler

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self._server.server_port}/jwks"

    def __enter__(self) -> Self:
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is expected
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


def _certificate(name: str, signer: tuple[Any, x509.Certificate] | None) -> tuple[Any, x509.Certificate]:
    """With the identifiers of keys and the usage that RFC 5280 asks for, and Python since 3.13."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signing_key, issuer = (key, subject) if signer is None else (signer[0], signer[1].subject)
    signer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(_usage(authority=signer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signer_id, critical=False)
        .add_extension(addresses, critical=False)
    )
    return key, builder.sign(signing_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    never = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **never)


def _write(path: Path, certificate: x509.Certificate, key: Any = None) -> Path:
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    if key is not None:
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(pem)
    return path
