"""Hostile signatures: changed octets, and what each scheme's lax verifiers have let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearward.jose.base64url import decode
from bearward.testing import json_octets
from tests.attack.case import Case, bearer
from tests.attack.token_factory import OUT, TokenFactory, b64, segments

__all__ = ["ecdsa", "eddsa", "integrity"]

_SIGNATURE = "signature_invalid"

ORDERS = {
    "p256": (32, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "p384": (
        48,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
    "p521": (
        66,
        0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
    ),
}
"""Of each curve: the length of a coordinate in octets, and the order of the base point (FIPS 186-4 D.1.2)."""

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def integrity(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 5.2: a signature is one over these octets, by this key."""
    for kid in ("rsa", "pss", "p256", "p384", "p521", "ed25519", "ed448"):
        first, second, third = forge.parts(kid)
        eve = b64(json_octets(forge.claims(sub="eve")))
        yield bearer("integrity", f"{kid}: another subject", segments(first, eve, third), _SIGNATURE)
        other = b64(json_octets(forge.header(forge.key(kid), typ="JWT")))
        yield bearer("integrity", f"{kid}: another header", segments(other, second, third), _SIGNATURE)
        octets = decode(third)
        for where in (0, len(octets) // 2, len(octets) - 1):
            changed = octets[:where] + bytes([octets[where] ^ 1]) + octets[where + 1 :]
            yield bearer("integrity", f"{kid}: bit of octet {where}", segments(first, second, b64(changed)), _SIGNATURE)
        for name, text in {
            "cut short": octets[:-1],
            "an octet more": octets + b"\x00",
            "an octet before": b"\x00" + octets,
            "twice": octets + octets,
            "empty": b"",
        }.items():
            yield bearer("integrity", f"{kid}: signature {name}", segments(first, second, b64(text)), _SIGNATURE)
    third = forge.parts(claims={"jti": "2"})[2]
    yield bearer("integrity", "the signature of another token", segments(*forge.parts()[:2], third), _SIGNATURE)
    spaced = b64(json.dumps(forge.claims()).encode())
    first, _, third = forge.parts()
    yield bearer("integrity", "the same claims with white space", segments(first, spaced, third), _SIGNATURE)


def ecdsa(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7518 section 3.4: R and S side by side at full length, each from 1 to n - 1 (CVE-2022-21449)."""
    for kid, (size, order) in ORDERS.items():
        first, second, third = forge.parts(kid)
        octets = decode(third)
        r, s = int.from_bytes(octets[:size], "big"), int.from_bytes(octets[size:], "big")
        pairs = {
            "r = s = 0": (0, 0),
            "r = 0": (0, s),
            "s = 0": (r, 0),
            "r = s = 1": (1, 1),
            "r = n": (order, s),
            "s = n": (r, order),
            "r = s = n": (order, order),
            "r = s = n - 1": (order - 1, order - 1),
            "r and s swapped": (s, r),
            "all ones": (2 ** (8 * size) - 1, 2 ** (8 * size) - 1),
        }
        for name, (left, right) in pairs.items():
            raw = left.to_bytes(size, "big") + right.to_bytes(size, "big")
            yield bearer("ECDSA", f"{kid}: {name}", segments(first, second, b64(raw)), _SIGNATURE)
        der = encode_dss_signature(r, s)
        yield bearer("ECDSA", f"{kid}: DER", segments(first, second, b64(der)), _SIGNATURE)
        wide = r.to_bytes(size + 1, "big") + s.to_bytes(size + 1, "big")
        yield bearer("ECDSA", f"{kid}: a zero before each", segments(first, second, b64(wide)), _SIGNATURE)
        if r + order < 2 ** (8 * size):
            raw = (r + order).to_bytes(size, "big") + octets[size:]
            yield bearer("ECDSA", f"{kid}: r + n", segments(first, second, b64(raw)), _SIGNATURE)
    yield from _embedded_nonce(forge)


def _embedded_nonce(forge: TokenFactory) -> Iterator[Case]:
    """A signature (r, r) by the point whose discrete logarithm the attacker chose: for a verifier that takes any key."""
    own = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(own.x.to_bytes(32, "big")).decode(),
        "y": b64(own.y.to_bytes(32, "big")).decode(),
    }
    token = forge.with_signature(bytes(31) + b"\x01" + bytes(31) + b"\x01", "p256", header={"jwk": jwk})
    yield bearer("ECDSA", "the base point as a key in the header", token, _SIGNATURE)


def eddsa(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8032 section 5.1.7: S below the group's order; a point of small order proves nothing."""
    first, second, third = forge.parts("ed25519")
    octets = decode(third)
    scalar = int.from_bytes(octets[32:], "little")
    identity = b"\x01" + bytes(31)
    forged = {
        "S + L": octets[:32] + (scalar + ED25519_ORDER).to_bytes(32, "little"),
        "S = 0": octets[:32] + bytes(32),
        "S = L": octets[:32] + ED25519_ORDER.to_bytes(32, "little"),
        "S with its highest bit set": octets[:63] + bytes([octets[63] | 0x80]),
        "all zeros": bytes(64),
        "all ones": b"\xff" * 64,
        "R the identity, S = 0": identity + bytes(32),
        "R with its sign changed": octets[:31] + bytes([octets[31] ^ 0x80]) + octets[32:],
        "S before R": octets[32:] + octets[:32],
    }
    for name, signature in forged.items():
        yield bearer("EdDSA", name, segments(first, second, b64(signature)), _SIGNATURE)
    small = forge.with_signature(identity + bytes(32), "ed25519", header={"kid": "small"})
    yield bearer("EdDSA", "by a published key of small order", small, "key_unknown")
    unnamed = forge.with_signature(identity + bytes(32), "ed25519", header={"kid": OUT})
    yield bearer("EdDSA", "by a published key of small order, without kid", unnamed, _SIGNATURE)
    hashed = sha256(segments(first, second)).digest()
    prehashed = segments(first, second, b64(forge.key("ed25519").sign(hashed)))
    yield bearer("EdDSA", "over a hash (Ed25519ph without its prefix)", prehashed, _SIGNATURE)
    first4, second4, third4 = forge.parts("ed448")
    octets4 = decode(third4)
    forged4 = {
        "Ed448: S = 0": octets4[:57] + bytes(57),
        "Ed448: all zeros": bytes(114),
        "Ed448: last octet not zero": octets4[:-1] + b"\x01",
        "Ed448: an Ed25519 signature": octets,
    }
    for name, signature in forged4.items():
        yield bearer("EdDSA", name, segments(first4, second4, b64(signature)), _SIGNATURE)
    yield bearer("EdDSA", "an Ed448 signature", segments(first, second, b64(octets4)), _SIGNATURE)
