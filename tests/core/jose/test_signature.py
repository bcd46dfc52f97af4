"""Every algorithm verifies what `cryptography` signs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearward.jose import base64url
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.jose.ecdsa_der import to_der
from bearward.jose.jwk import SymmetricKey, VerificationKey, read_key
from bearward.jose.post_quantum import ML_DSA, is_supported
from bearward.testing import SigningKey
from tests.core.tokens import ISSUER, KEY, key_set, token_of, verified
from tests.signature_libraries import LIBRARIES, signatures_by

MESSAGE = b"header.payload"
SECRET = bytes(range(64))


def _pair(alg: str) -> tuple[SigningKey, VerificationKey]:
    if alg in SYMMETRIC:
        return SigningKey.symmetric(SECRET, alg), VerificationKey.symmetric(SymmetricKey(SECRET, alg))
    signer = SigningKey.generate(alg)
    return signer, read_key(signer.public_jwk())


PAIRS = {alg: _pair(alg) for alg in ALGORITHMS if alg not in ML_DSA or is_supported(alg)}


@pytest.fixture(params=LIBRARIES, autouse=True)
def _each_library(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every rule holds by each library."""
    with signatures_by(request.param):
        yield
    for _, key in PAIRS.values():
        key._verifying.clear()


@pytest.mark.parametrize("alg", PAIRS)
def test_valid_signature_is_accepted(alg: str) -> None:
    """RFC 7518 section 3, RFC 8037 section 3.1, RFC 8812 section 3.2, RFC 9964."""
    signer, key = PAIRS[alg]
    assert alg in key.algorithms
    for _ in range(3):
        assert key.verify(alg, MESSAGE, signer.sign(MESSAGE))


def _changed(signature: bytes) -> Iterator[bytes]:
    for where in (0, 1, len(signature) // 2, len(signature) - 1):
        yield signature[:where] + bytes([signature[where] ^ 1]) + signature[where + 1 :]
    yield from (b"", b"\x00", signature[:-1], signature + b"\x00", b"\x00" + signature, signature * 2)
    yield from (bytes(len(signature)), b"\xff" * len(signature), signature[::-1], signature[len(signature) // 2 :] * 2)


@pytest.mark.parametrize("alg", PAIRS)
def test_invalid_signature_is_refused(alg: str) -> None:
    """A changed, shortened, lengthened or made-up signature is none, and raises nothing."""
    signer, key = PAIRS[alg]
    for bad in _changed(signer.sign(MESSAGE)):
        assert key.verify(alg, MESSAGE, bad) is False
    assert key.verify(alg, MESSAGE + b"x", signer.sign(MESSAGE)) is False
    assert key.verify(alg, b"", signer.sign(MESSAGE)) is False


@pytest.mark.parametrize("alg", sorted(set(PAIRS) - SYMMETRIC))
def test_signature_by_another_key_is_refused(alg: str) -> None:
    """Another key of the same kind does not verify."""
    assert PAIRS[alg][1].verify(alg, MESSAGE, SigningKey.generate(alg).sign(MESSAGE)) is False


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_key_without_alg_verifies_all_six_algorithms(alg: str) -> None:
    """And tells them apart: a signature by one is none by another."""
    signer = PAIRS["RS256"][0]
    key = read_key(signer.public_jwk(alg=None))
    for other in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert key.verify(alg, MESSAGE, signer.sign(MESSAGE, other)) is (alg == other)


@pytest.mark.parametrize("size", [2048, 2056, 3072, 4096])
def test_rsa_signatures_are_as_long_as_the_modulus(size: int) -> None:
    """Whatever the modulus, and not an octet more or less (RFC 8017 section 8.1.2)."""
    signer = SigningKey.generate("RS256", bits=size)
    key, signature = read_key(signer.public_jwk()), signer.sign(MESSAGE)
    assert key.signature_length == len(signature) == size // 8
    assert key.verify("RS256", MESSAGE, signature)
    assert not key.verify("RS256", MESSAGE, signature + b"\x00")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_signature_with_leading_zeros_is_accepted(alg: str) -> None:
    """R and S keep their leading zeros (RFC 7518 section 3.4); one in 256 signatures has one."""
    signer, key = PAIRS[alg]
    half = key.signature_length // 2
    # 521 bits fill 66 octets so that the first is nearly always 0 or 1: look at the second there.
    at = 1 if alg == "ES512" else 0
    for where in (at, half + at):
        signature = next(s for s in iter(lambda: signer.sign(MESSAGE), b"") if s[where] == 0)
        assert key.verify(alg, MESSAGE, signature)


FRONTS = [bytes(zeros) + bytes([octet]) for zeros in (0, 1, 3, 4, 5) for octet in (0x01, 0x7F, 0x80, 0x81, 0xFF)]


@pytest.mark.parametrize("half", [32, 48, 66])
@pytest.mark.parametrize("front", FRONTS, ids=bytes.hex)
def test_ecdsa_signature_is_converted_to_der(half: int, front: bytes) -> None:
    """RFC 3279 section 2.2.3: a zero before a high bit, no other in front, and lengths of more than 127 in two octets."""
    for other in FRONTS:
        r, s = front.ljust(half, b"\x01"), other.ljust(half, b"\x01")
        expected = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        assert to_der(r + s) == expected


def test_signature_integers_may_begin_with_any_octet() -> None:
    """The borders of what ASN.1 takes for a negative number, and a zero in front, in r and in s."""
    keys = key_set(KEY.public_jwk())
    wanted = {(place, octet) for place in (0, 32) for octet in (0x00, 0x7F, 0x80)}
    while wanted:
        token = token_of(KEY)
        signature = base64url.decode(token.rpartition(".")[2].encode())
        found = {(place, signature[place]) for place in (0, 32)} & wanted
        if found:
            wanted -= found
            assert verified(token, keys).issuer == ISSUER
