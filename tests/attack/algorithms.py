"""Hostile algorithms: no signature at all, a public key as a secret, a key used for what it was not made for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearward.jose.base64url import decode
from bearward.testing import SigningKey, json_octets
from tests.attack.case import Case, bearer
from tests.attack.certificates import self_signed
from tests.attack.token_factory import OUT, TokenFactory, b64, segments

__all__ = ["hmac_confusion", "key_binding", "none"]

_ALG, _UNSUITABLE, _UNKNOWN, _SIGNATURE = "algorithm_not_allowed", "key_unsuitable", "key_unknown", "signature_invalid"


def none(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8725 section 3.2: `none`, however it is written, with whatever for a signature."""
    _, payload, signature = forge.parts()
    for alg in ("none", "None", "NONE", "nOnE", "NoNe", "none ", " none", "none\x00", "null", "nil", "", "plain"):
        header = b64(json_octets({"alg": alg, "kid": "rsa"}))
        yield bearer("none", f"{alg!r}", segments(header, payload, b""), _ALG)
    header = b64(b'{"alg":"none"}')
    yield bearer("none", "with a good signature of another token", segments(header, payload, signature), _ALG)
    yield bearer("none", "with an empty object for a signature", segments(header, payload, b64(b"{}")), _ALG)
    yield bearer("none", "typ JWT", segments(b64(b'{"typ":"JWT","alg":"none"}'), payload, b""), _ALG)
    yield bearer("none", "two segments", segments(header, payload), "token_malformed")
    yield bearer("none", "escaped", segments(b64(b'{"alg":"\\u006eone"}'), payload, b""), _ALG)


def hmac_confusion(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8725 section 2.1: a public key, in every encoding that a library might take, as an HMAC secret."""
    for name, secret in _public_as_secret(forge).items():
        key = SigningKey.symmetric(secret, "HS256", kid="rsa")
        yield bearer("HMAC confusion", f"HS256 {name}", forge.sign(key), _ALG)
    for alg in ("HS384", "HS512"):
        for name in ("RSA PEM", "RSA DER", "RSA n as text", "JWK", "JWK Set"):
            key = SigningKey.symmetric(_public_as_secret(forge)[name], alg, kid="rsa")
            yield bearer("HMAC confusion", f"{alg} {name}", forge.sign(key), _ALG)
    published = SigningKey.symmetric(forge.secret, "HS256", kid="oct")
    yield bearer("HMAC confusion", "a secret that the JWK Set holds", forge.sign(published), _ALG)
    yield bearer("HMAC confusion", "the same without kid", forge.sign(published, header={"kid": OUT}), _ALG)


def _public_as_secret(forge: TokenFactory) -> dict[str, bytes]:
    rsa, ec, ed = forge.key("rsa"), forge.key("p256"), forge.key("ed25519")
    pkcs1 = rsa._public().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    pkcs1_der = rsa._public().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    ssh = rsa._public().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    point = ec._public().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    squeezed = ec._public().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    jwk, ec_jwk, ed_jwk = rsa.public_jwk(), ec.public_jwk(), ed.public_jwk()
    certificate: x509.Certificate = self_signed(rsa)
    return {
        "RSA PEM": rsa.public_pem(),
        "RSA PEM without its last line feed": rsa.public_pem().rstrip(b"\n"),
        "RSA PEM with CRLF": rsa.public_pem().replace(b"\n", b"\r\n"),
        "RSA PEM without lines": b"".join(rsa.public_pem().split(b"\n")),
        "RSA PEM behind white space": b" \n" + rsa.public_pem(),
        "RSA PKCS1 PEM behind white space": b"\n" + pkcs1,
        "RSA PEM body": b"".join(rsa.public_pem().split(b"\n")[1:-2]),
        "RSA DER": rsa.public_der(),
        "RSA PKCS1 PEM": pkcs1,
        "RSA PKCS1 PEM without its last line feed": pkcs1.rstrip(b"\n"),
        "RSA PKCS1 DER": pkcs1_der,
        "RSA OpenSSH": ssh,
        "RSA certificate PEM": certificate.public_bytes(Encoding.PEM),
        "RSA certificate DER": certificate.public_bytes(Encoding.DER),
        "RSA n as text": jwk["n"].encode(),
        "RSA n": decode(jwk["n"].encode()),
        "RSA n in hexadecimal": decode(jwk["n"].encode()).hex().encode(),
        "RSA e as text": b"AQAB",
        "EC PEM": ec.public_pem(),
        "EC DER": ec.public_der(),
        "EC OpenSSH": ec._public().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "EC point": point,
        "EC compressed point": squeezed,
        "EC x as text": ec_jwk["x"].encode(),
        "EC x and y": point[1:],
        "Ed25519 PEM": ed.public_pem(),
        "Ed25519 OpenSSH": ed._public().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "Ed25519 x": decode(ed_jwk["x"].encode()),
        "Ed25519 x as text": ed_jwk["x"].encode(),
        "JWK": json_octets(jwk),
        "JWK with white space": json.dumps(jwk).encode(),
        "JWK sorted": json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode(),
        "JWK Set": json.dumps(forge.jwks()).encode(),
        "thumbprint": rsa.thumbprint.encode(),
        "kid": b"rsa",
        "issuer": forge.issuer.encode(),
        "empty": b"",
        "one NUL": b"\x00",
        "32 NUL": bytes(32),
        "the word secret": b"secret",
        "SHA-256 of the PEM": sha256(rsa.public_pem()).digest(),
    }


def key_binding(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8725 sections 3.1 and 3.2: a key serves the algorithms of its type, curve, `alg`, `use` and `key_ops`."""
    rsa_family = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    for kid in ("rsa", "rsa-384", "rsa-512", "pss", "pss-384", "pss-512"):
        for alg in rsa_family:
            if alg != forge.key(kid).alg:
                token = forge.sign(kid, header={"alg": alg}, alg=alg)
                yield bearer("key binding", f"{alg} by a key for {forge.key(kid).alg}", token, _UNSUITABLE)
    for kid, alg in (("p256", "ES384"), ("p256", "ES512"), ("p384", "ES256"), ("p521", "ES256")):
        signed = forge.sign(kid, header={"alg": alg})
        yield bearer("key binding", f"{alg} by a key on the curve of {forge.key(kid).alg}", signed, _UNSUITABLE)
    mixed = (("rsa", "ES256"), ("p256", "RS256"), ("ed25519", "ES256"), ("p256", "EdDSA"), ("ed448", "Ed25519"))
    for kid, alg in (*mixed, ("ed25519", "Ed448"), ("ed25519", "RS256"), ("rsa", "EdDSA")):
        yield bearer("key binding", f"{alg} by the key {kid}", forge.sign(kid, header={"alg": alg}), _UNSUITABLE)
    for alg in (
        " RS256",
        "RS256,none",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "SHA256withRSA",
        "R" * 2000,
    ):
        yield bearer("key binding", f"another name: {alg[:20]}", forge.sign(header={"alg": alg}), _ALG)
    yield bearer("key binding", "ES256K, allowed only by choice", forge.sign("koblitz"), _ALG)
    yield bearer("key binding", "ES256 by a secp256k1 key", forge.sign("koblitz", header={"alg": "ES256"}), _UNSUITABLE)
    for alg in ("RSA-OAEP", "RSA1_5", "ES255", "ES521", "RS1", "RS257", "PS128", "Ed25519ph", "ECDH-ES", "dir", "HS1"):
        yield bearer("key binding", f"no such algorithm: {alg}", forge.sign(header={"alg": alg}), _ALG)
    for kid in ("weak", "enc", "ops"):
        yield bearer("key binding", f"a published key that may not verify: {kid}", forge.sign(kid), _UNKNOWN)
    unnamed = forge.sign("enc", header={"kid": OUT})
    yield bearer("key binding", "an encryption key, without kid", unnamed, _SIGNATURE)
    yield bearer("key binding", "a weak key, without kid", forge.sign("weak", header={"kid": OUT}), _SIGNATURE)
    yield bearer(
        "key binding",
        "a strange key under a published kid",
        forge.sign("unpublished", header={"kid": "rsa"}),
        _SIGNATURE,
    )
    for name, kid in (("unpublished", "rsa"), ("unpublished-ec", "p256"), ("unpublished-ed", "ed25519")):
        token = forge.sign(name, header={"kid": kid})
        yield bearer("key binding", f"a strange {forge.key(name).alg} key under the kid {kid}", token, _SIGNATURE)
