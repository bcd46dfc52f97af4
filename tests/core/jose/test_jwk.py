"""One JWK: for which algorithms it serves, or why it is rejected (RFC 7517, RFC 7518 section 6)."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import sys
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bearward import TrustedIssuer, Verifier
from bearward.errors import ConfigurationError
from bearward.jose import base64url
from bearward.jose.base64url import encode
from bearward.jose.jwk import KeyRejection, RejectedKeyError, SymmetricKey, VerificationKey, read_key
from bearward.jose.jwk_set import JWKSetError
from bearward.testing import SigningKey
from tests.core.tokens import ISSUER, KEY, key_set, token_of, verified

RSA_FAMILY = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
KEYS = {
    alg: SigningKey.generate(alg, kid=alg) for alg in ("RS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448")
}
RSA, EC, ED = (KEYS[alg].public_jwk() for alg in ("RS256", "ES256", "EdDSA"))


def _b64(octets: bytes) -> str:
    return encode(octets).decode()


def _certificate(key: SigningKey) -> str:
    private = key._private
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "key")])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, now - day, now + day)
    return b64encode(builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def _changed_certificate(before: str, after: str) -> str:
    """The certificate of the P-256 key with a field changed, which leaves its key as it was."""
    octets = b64decode(_certificate(KEYS["ES256"]))
    return b64encode(octets.replace(bytes.fromhex(before), bytes.fromhex(after), 1)).decode()


SERVES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "RSA with alg": (RSA, {"RS256"}),
    "RSA without alg": (RSA | {"alg": None}, RSA_FAMILY),
    "RSA for PS384": (RSA | {"alg": "PS384"}, {"PS384"}),
    "RSA with a crv that means nothing": (RSA | {"crv": "P-256", "alg": None}, RSA_FAMILY),
    "P-256": (EC, {"ES256"}),
    "P-384": (KEYS["ES384"].public_jwk(alg=None), {"ES384"}),
    "P-521": (KEYS["ES512"].public_jwk(alg=None), {"ES512"}),
    "secp256k1": (KEYS["ES256K"].public_jwk(alg=None), {"ES256K"}),
    "Ed25519 as EdDSA": (ED, {"EdDSA", "Ed25519"}),
    "Ed25519 by its own name": (ED | {"alg": "Ed25519"}, {"EdDSA", "Ed25519"}),
    "Ed25519 without alg": (ED | {"alg": None}, {"EdDSA", "Ed25519"}),
    "Ed448": (KEYS["Ed448"].public_jwk(), {"EdDSA", "Ed448"}),
    "without use": (EC | {"use": None}, {"ES256"}),
    "key_ops verify": (EC | {"key_ops": ["verify"]}, {"ES256"}),
    "key_ops with more": (EC | {"key_ops": ["sign", "verify", "new"]}, {"ES256"}),
    "without kid": (EC | {"kid": None}, {"ES256"}),
    "empty kid": (EC | {"kid": ""}, {"ES256"}),
    "unknown members": (EC | {"x": EC["x"], "ext": True, "nbf": 1}, {"ES256"}),
    "its own certificate": (EC | {"x5c": [_certificate(KEYS["ES256"])]}, {"ES256"}),
    "its own certificate, and a chain": (EC | {"x5c": [_certificate(KEYS["ES256"]), "AAAA"]}, {"ES256"}),
    "RSA: its own certificate": (RSA | {"x5c": [_certificate(KEYS["RS256"])]}, {"RS256"}),
    "x5c empty": (EC | {"x5c": []}, {"ES256"}),
    "x5c no certificate": (EC | {"x5c": ["AAAA"]}, {"ES256"}),
    "x5c not base64": (EC | {"x5c": ["é"]}, {"ES256"}),
    "x5c number": (EC | {"x5c": [1]}, {"ES256"}),
    "x5c huge": (EC | {"x5c": ["A" * 20_000]}, {"ES256"}),
    "x5c text": (EC | {"x5c": "AAAA"}, {"ES256"}),
    "x5c of no known version": (EC | {"x5c": [_changed_certificate("a003020102", "a003020105")]}, {"ES256"}),
    "x5c with a negative serial": (EC | {"x5c": [_changed_certificate("020101", "0201ff")]}, {"ES256"}),
}


@pytest.mark.parametrize("name", SERVES)
def test_keys_that_serve(name: str) -> None:
    """A key serves what its type, its curve and its own `alg` allow, and nothing else."""
    member, algorithms = SERVES[name]
    key = read_key(member)
    assert key.algorithms == algorithms
    assert key.kid == member["kid"]


WEAK = SigningKey.generate("RS256", bits=1024).public_jwk()
SMALL = [0, 1, 2**255 - 20, 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7]
ASIDE: dict[KeyRejection, dict[str, Any]] = {
    KeyRejection.NOT_A_KEY: {"null": None, "list": [], "empty": {}, "kty null": {"kty": None}, "kty number": {"kty": 1}},
    KeyRejection.UNKNOWN_TYPE: {
        "HSS-LMS": {"kty": "HSS-LMS"}, "lower case": RSA | {"kty": "rsa"}, "X25519": ED | {"crv": "X25519"},
        "P-192": EC | {"crv": "P-192"}, "no crv": EC | {"crv": None}, "crv list": EC | {"crv": ["P-256"]},
        "another type's curve": EC | {"crv": "Ed25519"},
    },
    KeyRejection.PRIVATE: {
        "d": RSA | {"d": "AQAB"}, "p": RSA | {"p": "AQAB"}, "oth": RSA | {"oth": []}, "EC d": EC | {"d": "AA"},
        "OKP d": ED | {"d": None}, "k": RSA | {"k": "AA"},
    },
    KeyRejection.SYMMETRIC: {"oct": {"kty": "oct", "k": "AAAA"}, "oct alone": {"kty": "oct"}},
    KeyRejection.NOT_FOR_SIGNATURES: {
        "enc": RSA | {"use": "enc"}, "new use": RSA | {"use": "new"}, "SIG": RSA | {"use": "SIG"}, "empty": RSA | {"use": ""},
        "use list": RSA | {"use": ["sig"]}, "sign": RSA | {"key_ops": ["sign"]}, "no operation": RSA | {"key_ops": []},
        "use says no, key_ops yes": RSA | {"use": "enc", "key_ops": ["verify"]},
    },
    KeyRejection.ALGORITHM_UNKNOWN: {
        "none": RSA | {"alg": "none"}, "RSA-OAEP": RSA | {"alg": "RSA-OAEP"}, "number": RSA | {"alg": 1},
        "ES521": EC | {"alg": "ES521"}, "empty": EC | {"alg": ""},
    },
    KeyRejection.ALGORITHM_UNFIT: {
        "HS256": RSA | {"alg": "HS256"}, "ES256 by RSA": RSA | {"alg": "ES256"}, "ES384 by P-256": EC | {"alg": "ES384"},
        "Ed448 by Ed25519": ED | {"alg": "Ed448"}, "RS256 by EC": EC | {"alg": "RS256"},
    },
    KeyRejection.MALFORMED: {
        "no n": RSA | {"n": None}, "no e": RSA | {"e": None}, "n number": RSA | {"n": 1}, "n empty": RSA | {"n": ""},
        "n padded": RSA | {"n": RSA["n"] + "=="}, "n ordinary": RSA | {"n": "+" + RSA["n"][1:]}, "n not ASCII": RSA | {"n": "é"},
        "no x": EC | {"x": None}, "x short": EC | {"x": EC["x"][:-4]}, "x long": EC | {"x": "AAAA" + EC["x"]},
        "off the curve": EC | {"y": EC["x"]}, "the origin": EC | {"x": _b64(bytes(32)), "y": _b64(bytes(32))},
        "beyond the field": EC | {"x": _b64(b"\xff" * 32)}, "OKP x short": ED | {"x": _b64(bytes(31))},
        "OKP x long": ED | {"x": _b64(bytes(33))}, "OKP no x": ED | {"x": None}, "kid number": EC | {"kid": 1},
        "kid long": EC | {"kid": "k" * 1025}, "key_ops text": EC | {"key_ops": "verify"}, "key_ops number": EC | {"key_ops": [1]},
        "key_ops twice": EC | {"key_ops": ["verify", "verify"]},
    },
    KeyRejection.WEAK: {
        "1024 bits": WEAK, "2047 bits": RSA | {"n": _b64((2**2046 + 1).to_bytes(256, "big"))},
        "8193 bits": RSA | {"n": _b64((2**8192 + 1).to_bytes(1025, "big"))}, "e = 0": RSA | {"e": "AA"}, "e = 1": RSA | {"e": "AQ"},
        "e = 2": RSA | {"e": "Ag"}, "e even": RSA | {"e": "AQAA"}, "e huge": RSA | {"e": _b64(b"\x01" * 33)},
        "n even": RSA | {"n": _b64((2**2047 + 2).to_bytes(256, "big"))},
        **{f"small order {n}": ED | {"x": _b64(y.to_bytes(32, "little"))} for n, y in enumerate(SMALL)},
        "small order, sign set": ED | {"x": _b64((1 | 2**255).to_bytes(32, "little"))},
        "Ed448 small order": KEYS["Ed448"].public_jwk(x=_b64(bytes([1]) + bytes(56))),
        "small order, not reduced": ED | {"x": _b64((2**255 - 19).to_bytes(32, "little"))},
    },
    KeyRejection.CERTIFICATE_UNFIT: {
        "of another key": EC | {"x5c": [_certificate(SigningKey.generate("ES256"))]},
        "of another type": EC | {"x5c": [_certificate(KEYS["RS256"])]},
    },
}  # fmt: skip


@pytest.mark.parametrize(("reason", "name"), [(reason, name) for reason, rows in ASIDE.items() for name in rows])
def test_keys_that_are_rejected(reason: KeyRejection, name: str) -> None:
    """An odd key is named by its reason, and raises nothing else."""
    with pytest.raises(RejectedKeyError) as odd:
        read_key(ASIDE[reason][name])
    assert odd.value.reason is reason
    assert str(odd.value) == reason.value


def test_every_rejection_is_tested() -> None:
    """All but those that only a whole set can have, with its authorities or without."""
    assert set(ASIDE) == set(KeyRejection) - {
        KeyRejection.DUPLICATE,
        KeyRejection.SURPLUS,
        KeyRejection.CERTIFICATE_UNTRUSTED,
    }


def test_thumbprint_is_of_the_key_alone() -> None:
    """RFC 7638 section 3.2: optional members do not count, nor does a zero before the modulus."""
    key = read_key(RSA)
    assert key.thumbprint == KEYS["RS256"].thumbprint
    assert read_key(RSA | {"kid": "other", "alg": None, "use": None}).thumbprint == key.thumbprint
    modulus = KEYS["RS256"]._public().public_numbers().n  # type: ignore[union-attr]
    padded = _b64(b"\x00" + modulus.to_bytes(256, "big"))
    assert read_key(RSA | {"n": padded}).thumbprint == key.thumbprint
    for alg, signer in KEYS.items():
        assert read_key(signer.public_jwk()).thumbprint == signer.thumbprint, alg


def test_key_repr_shows_only_the_thumbprint() -> None:
    """Neither `repr` shows a secret."""
    assert repr(read_key(EC)) == f"<VerificationKey P-256 {KEYS['ES256'].thumbprint}>"
    secret = SymmetricKey(b"a secret of thirty-two octets ok")
    assert "secret of" not in repr(secret) + repr(VerificationKey.symmetric(secret))


PEM = KEYS["RS256"].public_pem()
SECRETS: dict[str, tuple[Any, ...]] = {
    "too short for HS256": (b"x" * 31, "HS256"),
    "too short for HS384": (b"x" * 47, "HS384"),
    "too short for HS512": (b"x" * 63, "HS512"),
    "no octets": ("x" * 64, "HS256"),
    "an algorithm that is not symmetric": (b"x" * 64, "RS256"),
    "none": (b"x" * 64, "none"),
    "a public key in PEM": (PEM, "HS256"),
    "a certificate": (b"-----BEGIN CERTIFICATE-----\n" + b"A" * 64, "HS256"),
    "an ssh key": (b"ssh-rsa AAAAB3NzaC1yc2E" + b"A" * 64, "HS256"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_that_are_refused(name: str) -> None:
    """RFC 7518 section 3.2: as long as the hash; and never what everybody can know."""
    with pytest.raises(ConfigurationError, match="symmetric_keys"):
        SymmetricKey(*SECRETS[name])


@pytest.mark.parametrize(("alg", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_secrets_that_serve(alg: str, size: int) -> None:
    """A secret serves the one algorithm that it was configured for."""
    key = VerificationKey.symmetric(SymmetricKey(b"x" * size, alg, "k"))
    assert (key.kid, key.kty, key.algorithms) == ("k", "oct", frozenset({alg}))
    assert key.verify(alg, b"m", SigningKey.symmetric(b"x" * size, alg).sign(b"m"))


def test_thumbprint_of_a_shared_secret_is_keyed() -> None:
    """RFC 7638 section 7: it would let guesses be tried. Its name is the same for the same secret in this process alone."""
    secret = bytes(range(32))
    key, again, other = (VerificationKey.symmetric(SymmetricKey(octets)) for octets in (secret, secret, b"x" * 32))
    canonical = b'{"k":"' + base64url.encode(secret) + b'","kty":"oct"}'
    for guess in (canonical, secret):
        assert base64url.encode(sha256(guess).digest()).decode()[:20] not in key.thumbprint
    assert key.thumbprint == again.thumbprint != other.thumbprint
    program = (
        "from bearward.jose.jwk import SymmetricKey, VerificationKey; "
        "print(VerificationKey.symmetric(SymmetricKey(bytes(range(32)))).thumbprint)"
    )
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert elsewhere.stdout.strip() != key.thumbprint


def test_shared_secret_is_never_disclosed(caplog: pytest.LogCaptureFixture) -> None:
    """Neither health page nor log has a thumbprint of a set that holds one."""
    with caplog.at_level(logging.DEBUG):
        policy = TrustedIssuer("https://login.example", audience="api", symmetric_keys=[SymmetricKey(bytes(range(32)))])
        health = Verifier(policy).health()
    assert health.issuers[0].thumbprint is None
    assert policy.static_keys is not None
    for text in (str(health), repr(policy.static_keys), repr(policy), caplog.text):
        assert policy.static_keys.thumbprint[:8] not in text


def with_zeros() -> tuple[SigningKey, dict[str, Any], bytes]:
    """A key whose x begins with a zero octet and ends with another one; one in some two hundred and fifty does."""
    while True:
        key = SigningKey.generate("ES256", kid="k")
        jwk = key.public_jwk()
        x = base64url.decode(jwk["x"].encode())
        if x[0] == 0 and x[1] != 0:
            return key, jwk, x


def test_coordinate_padding_is_normalized() -> None:
    """The same number, the same key, the same thumbprint; two octets more than the field has are refused."""
    key, jwk, x = with_zeros()
    whole = key_set(jwk)
    for octets in (x[1:], x, b"\0" + x):
        keys = key_set({**jwk, "x": base64url.encode(octets).decode()})
        assert keys.thumbprint == whole.thumbprint
        assert verified(token_of(key), keys).issuer == ISSUER
    for octets in (b"\0\0" + x, b"\1" + x, x + b"\0"):
        with pytest.raises(JWKSetError):
            key_set({**jwk, "x": base64url.encode(octets).decode()})


def rsa_jwk(bits: int, e: int) -> dict[str, Any]:
    """A modulus of so many bits and an exponent, as a JWK; nobody knows its factors."""
    n = (1 << bits) - 1
    octets = {"n": n.to_bytes((bits + 7) // 8, "big"), "e": e.to_bytes((e.bit_length() + 7) // 8, "big")}
    return {"kty": "RSA", "kid": "r", **{name: base64url.encode(value).decode() for name, value in octets.items()}}


@pytest.mark.parametrize(
    ("bits", "e", "taken"),
    [
        (2048, 3, True),
        (2048, 65537, True),
        (2047, 65537, False),
        (8192, 65537, True),
        (8193, 65537, False),
        (2048, 1, False),
        (2048, 4, False),
        (2048, 2**32 - 1, True),
        (2048, 2**32 + 1, False),
        (4096, 2**32 - 1, True),
        (8192, 3, True),
        (8192, 2**31 + 1, True),
        (8192, 2**32 - 1, False),
    ],
)
def test_rsa_key_size_and_exponent_are_bounded(bits: int, e: int, taken: bool) -> None:
    """The last sizes that are accepted, and the first that are not; exponents count as much as moduli do."""
    held = key_set(KEY.public_jwk(), rsa_jwk(bits, e))
    assert held.holds("r") is taken
    assert held.rejection_counts() == ({} if taken else {"weak": 1})


def test_coordinate_may_begin_with_any_octet() -> None:
    """Only zeros in front are no part of the number."""
    wanted = {0x58, 0x7F, 0x80}
    while wanted:
        key = SigningKey.generate("ES256", kid="k")
        jwk = key.public_jwk()
        first = {base64url.decode(jwk[name].encode())[0] for name in ("x", "y")}
        if first & wanted:
            wanted -= first
            assert verified(token_of(key), key_set(jwk)).issuer == ISSUER


@pytest.mark.parametrize(("length", "taken"), [(1024, True), (1025, False)])
def test_kid_has_at_most_1024_characters(length: int, taken: bool) -> None:
    """A longer one is no reason to lose the other keys."""
    held = key_set(KEY.public_jwk(), SigningKey.generate("ES256", kid="x" * length).public_jwk())
    assert held.holds("x" * length) is taken


@pytest.mark.parametrize(
    ("alg", "kty", "crv"),
    [("RS256", "RSA", None), ("ES384", "EC", "P-384"), ("EdDSA", "OKP", "Ed25519"), ("Ed448", "OKP", "Ed448")],
)
def test_key_has_its_type_and_curve(alg: str, kty: str, crv: str | None) -> None:
    """An RSA key has no curve, whatever its JWK says."""
    (key,) = key_set(SigningKey.generate(alg).public_jwk(**({"crv": "P-256"} if crv is None else {}))).keys
    assert (key.kty, key.crv) == (kty, crv)
    assert repr(key) == f"<VerificationKey {crv or kty} {key.thumbprint}>"


def test_x5c_must_certify_its_own_key() -> None:
    """RFC 7517 section 4.7: `x5c` certifies the key itself; what cannot be read says nothing against the key."""
    private = ec.generate_private_key(ec.SECP256R1())
    text = b64encode(_der_certificate(private)).decode()
    jwk = SigningKey(private, "ES256", "k").public_jwk()
    assert key_set({**jwk, "x5c": [text]}).holds("k")
    for unread in ([text[:40]], ["A" + text], [], text, [""], [1], [text + " " * 16_384]):
        assert key_set({**jwk, "kid": "k", "x5c": unread}).holds("k")
    other = SigningKey.generate("ES256").public_jwk()
    for read in ([text], [text[:40] + "\n" + text[40:]], [text, "AAAA"], [text + " " * (16_384 - len(text))]):
        with pytest.raises(JWKSetError):
            key_set({**other, "x5c": read})


def _der_certificate(private: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day + timedelta(days=1))
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)
