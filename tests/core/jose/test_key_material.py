"""No public key is taken for a shared secret, in whatever form it is written; a secret is, whatever it looks like."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bearward import ConfigurationError, SymmetricKey
from bearward.jose.key_material import is_key_material
from bearward.testing import SigningKey
from tests.properties.profiles import examples

RSA = rsa.generate_private_key(65537, 2048)
P256, P384, P521 = (ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
ED = ed25519.Ed25519PrivateKey.generate()
SPKI, DER, PEM, SSH = PublicFormat.SubjectPublicKeyInfo, Encoding.DER, Encoding.PEM, Encoding.OpenSSH
JWK = SigningKey.generate("RS256").public_jwk()


def certificate() -> x509.Certificate:
    """A certificate of the RSA key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, RSA.public_key(), 1, day, day + dt.timedelta(days=1))
    return builder.sign(RSA, hashes.SHA256())


def request() -> x509.CertificateSigningRequest:
    """A request for such a certificate."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    return x509.CertificateSigningRequestBuilder(name).sign(RSA, hashes.SHA256())


FORMS: dict[str, bytes] = {
    "SPKI in PEM": RSA.public_key().public_bytes(PEM, SPKI),
    "SPKI in DER": RSA.public_key().public_bytes(DER, SPKI),
    "P-256 in DER": P256.public_key().public_bytes(DER, SPKI),
    "Ed25519 in DER": ED.public_key().public_bytes(DER, SPKI),
    "Ed448 in DER": ed448.Ed448PrivateKey.generate().public_key().public_bytes(DER, SPKI),
    "PKCS #1 in DER": RSA.public_key().public_bytes(DER, PublicFormat.PKCS1),
    "PKCS #1 in PEM": RSA.public_key().public_bytes(PEM, PublicFormat.PKCS1),
    "ssh-rsa": RSA.public_key().public_bytes(SSH, PublicFormat.OpenSSH),
    "ssh-ed25519": ED.public_key().public_bytes(SSH, PublicFormat.OpenSSH),
    "ecdsa-sha2-nistp384": P384.public_key().public_bytes(SSH, PublicFormat.OpenSSH),
    "authorized_keys": b'restrict,command="x" ' + ED.public_key().public_bytes(SSH, PublicFormat.OpenSSH),
    "RFC 4716": b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n",
    "P-256, a point": P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "P-521, a point": P521.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "a certificate in DER": certificate().public_bytes(DER),
    "a certificate in PEM": certificate().public_bytes(PEM),
    "a request in DER": request().public_bytes(DER),
    "a private key in DER": P256.private_bytes(DER, PrivateFormat.PKCS8, NoEncryption()),
    "a private key in PEM": ED.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()),
    "a JWK": json.dumps(JWK).encode(),
    "a JWK with a byte order mark": b"\xef\xbb\xbf" + json.dumps(JWK).encode(),
    "a JWK Set": json.dumps({"keys": [JWK]}, indent=2).encode(),
    "a secret in a JWK": json.dumps({"kty": "oct", "k": "A" * 43}).encode(),
}
WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda octets: octets,
    "base64": b64encode,
    "base64 in lines": encodebytes,
    "base64url without padding": lambda octets: urlsafe_b64encode(octets).rstrip(b"="),
    "hex": lambda octets: octets.hex().encode(),
    "hex in upper case and lines": lambda octets: octets.hex("\n").upper().encode(),
    "base64 of base64": lambda octets: b64encode(b64encode(octets)),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", FORMS)
def test_key_in_any_form_is_not_accepted_as_secret(form: str, wrapping: str) -> None:
    """CVE-2022-29217 and its kin: what everybody can know would sign tokens."""
    octets = WRAPPINGS[wrapping](FORMS[form])
    with pytest.raises(ConfigurationError, match=r"^symmetric_keys\.secret: must be random octets, not a key"):
        SymmetricKey(octets)


@pytest.mark.parametrize("around", [b" %b", b"\n\t%b\r\n ", b"%b\n"])
@pytest.mark.parametrize("form", ["SPKI in PEM", "ssh-ed25519", "a JWK", "RFC 4716"])
def test_white_space_around_a_key_hides_nothing(form: str, around: bytes) -> None:
    """As it stands in files and environment variables."""
    assert is_key_material(around % FORMS[form])


SECRETS: dict[str, bytes] = {
    "random": secrets.token_bytes(32),
    "base64 of random": b64encode(secrets.token_bytes(64)),
    "hex of random": secrets.token_hex(32).encode(),
    "a passphrase": b"correct horse battery staple, in more words than four",
    "JSON that is no key": b'{"secret": "of more than thirty-two octets"}',
    "JSON in JSON": b'"' + b"x" * 40 + b'"',
    "what begins as DER does": b"\x30\x1e" + secrets.token_bytes(30),
    "what begins as a point does": b"\x04" + bytes(64),
    "deep JSON": b"[" * 100_000,
}


@pytest.mark.parametrize("name", SECRETS)
def test_secret_in_any_text_form_is_accepted(name: str) -> None:
    """Nothing but the form of a key is refused."""
    assert SymmetricKey(SECRETS[name]).secret == SECRETS[name]


@examples(200)
@given(st.binary(min_size=32, max_size=80))
def test_random_octets_are_a_secret(octets: bytes) -> None:
    """By any chance, and in base64 and hex."""
    for wrap in WRAPPINGS.values():
        assert not is_key_material(wrap(octets))
