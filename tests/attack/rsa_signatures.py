"""Hostile RSA signatures: paddings that a lax verifier has let pass (RFC 8017 sections 8.1 and 8.2)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1, sha256, sha512

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bearward.jose.base64url import decode
from tests.attack.case import Case, bearer
from tests.attack.token_factory import OUT, TokenFactory, b64, segments

__all__ = ["rsa_signatures"]

_SIGNATURE = "signature_invalid"
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_SHA256_NO_NULL = bytes.fromhex("302f300b0609608648016503040201 0420".replace(" ", ""))
_SHA512 = bytes.fromhex("3051300d060960864801650304020305000440")
_SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")
_SIZE = 256


def rsa_signatures(forge: TokenFactory) -> Iterator[Case]:
    """PKCS #1 v1.5 and PSS as RFC 7518 sections 3.3 and 3.5 say, and nothing like them."""
    yield from _numbers(forge)
    yield from _encoded(forge)
    yield from _pss(forge)
    yield from _cube_root(forge)


def _private(forge: TokenFactory, kid: str) -> rsa.RSAPrivateKey:
    key = forge.key(kid)._private
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _power(forge: TokenFactory, kid: str, encoded: bytes) -> bytes:
    """The RSA private operation on our own encoded message making."""
    numbers = _private(forge, kid).private_numbers()
    value = pow(int.from_bytes(encoded, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(_SIZE, "big")


def _numbers(forge: TokenFactory) -> Iterator[Case]:
    first, second, third = forge.parts()
    n = _private(forge, "rsa").public_key().public_numbers().n
    s = int.from_bytes(decode(third), "big")
    values = {"0": (0, _SIZE), "1": (1, _SIZE), "n - 1": (n - 1, _SIZE), "n": (n, _SIZE), "s + n": (s + n, _SIZE + 1)}
    for name, (value, size) in values.items():
        token = segments(first, second, b64(value.to_bytes(size, "big")))
        yield bearer("RSA", f"signature = {name}", token, _SIGNATURE)
    one = segments(
        *forge.parts(header={"kid": "one"})[:2], b64(b"\x00\x01" + b"\xff" * 202 + b"\x00" + _SHA256 + bytes(32))
    )
    yield bearer("RSA", "by a published key with e = 1", one, "key_unknown")


def _encoded(forge: TokenFactory) -> Iterator[Case]:
    first, second, _ = forge.parts()
    message = segments(first, second)
    info = _SHA256 + sha256(message).digest()

    def block(kind: bytes, fill: bytes, rest: bytes) -> bytes:
        return b"\x00" + kind + fill * (_SIZE - 3 - len(rest)) + b"\x00" + rest

    encoded = {
        "block type 0": block(b"\x00", b"\x00", info),
        "block type 2": block(b"\x02", b"\xaa", info),
        "padding of zeros": block(b"\x01", b"\x00", info),
        "a hash without its algorithm": block(b"\x01", b"\xff", sha256(message).digest()),
        "SHA-1": block(b"\x01", b"\xff", _SHA1 + sha1(message).digest()),
        "SHA-512": block(b"\x01", b"\xff", _SHA512 + sha512(message).digest()),
        "SHA-256 without NULL parameters": block(b"\x01", b"\xff", _SHA256_NO_NULL + sha256(message).digest()),
        "eight octets of padding, the rest behind": (b"\x00\x01" + b"\xff" * 8 + b"\x00" + info).ljust(_SIZE, b"\x00"),
        "an octet behind the hash": block(b"\x01", b"\xff", info + b"\x00"),
        "a first octet that is not 0": b"\x01" + block(b"\x01", b"\xff", info)[1:],
        "the hash of another message": block(b"\x01", b"\xff", _SHA256 + sha256(b"other").digest()),
        "no padding at all": info.rjust(_SIZE, b"\x00"),
    }
    for name, octets in encoded.items():
        token = segments(message, b64(_power(forge, "rsa", octets)))
        yield bearer("RSA", f"PKCS #1: {name}", token, _SIGNATURE)


def _pss(forge: TokenFactory) -> Iterator[Case]:
    first, second, _ = forge.parts("pss")
    message = segments(first, second)
    key = _private(forge, "pss")
    h256, h512 = hashes.SHA256(), hashes.SHA512()
    variants: dict[str, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]] = {
        "without salt": (padding.PSS(padding.MGF1(h256), 0), h256),
        "a salt of 20 octets": (padding.PSS(padding.MGF1(h256), 20), h256),
        "a salt of 33 octets": (padding.PSS(padding.MGF1(h256), 33), h256),
        "the longest salt": (padding.PSS(padding.MGF1(h256), padding.PSS.MAX_LENGTH), h256),
        "MGF1 with SHA-1": (padding.PSS(padding.MGF1(hashes.SHA1()), 32), h256),
        "MGF1 with SHA-512": (padding.PSS(padding.MGF1(h512), 32), h256),
        "SHA-512": (padding.PSS(padding.MGF1(h512), 64), h512),
        "PKCS #1 v1.5": (padding.PKCS1v15(), h256),
    }
    for name, (scheme, digest) in variants.items():
        yield bearer("RSA", f"PSS: {name}", segments(message, b64(key.sign(message, scheme, digest))), _SIGNATURE)
    honest = forge.parts()
    pss = _private(forge, "rsa").sign(segments(*honest[:2]), padding.PSS(padding.MGF1(h256), 32), h256)
    yield bearer("RSA", "RS256 with a PSS signature", segments(*honest[:2], b64(pss)), _SIGNATURE)
    free = forge.parts("any", header={"alg": "PS256"})
    v15 = _private(forge, "any").sign(segments(*free[:2]), padding.PKCS1v15(), h256)
    yield bearer("RSA", "PS256 with a PKCS #1 signature, a key for both", segments(*free[:2], b64(v15)), _SIGNATURE)


def _cube_root(forge: TokenFactory) -> Iterator[Case]:
    """Bleichenbacher's forgery of 2006: with e = 3 a cube whose front looks right, made without the private key."""
    for name, header in (("with kid", {}), ("without kid", {"kid": OUT})):
        first, second, _ = forge.parts("cubic", header=header)
        info = _SHA256 + sha256(segments(first, second)).digest()
        front = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
        low = int.from_bytes(front.ljust(_SIZE, b"\x00"), "big")
        root = _root(low) + 1
        assert (root**3).to_bytes(_SIZE, "big").startswith(front)
        token = segments(first, second, b64(root.to_bytes(_SIZE, "big")))
        yield bearer("RSA", f"a cube root for e = 3, {name}", token, _SIGNATURE)


def _root(value: int) -> int:
    """The integer cube root, rounded down."""
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low
