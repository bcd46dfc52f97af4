"""The table of algorithms: which key may serve which."""

from __future__ import annotations

import pytest

from bearward.jose.algorithms import ALGORITHMS, ASYMMETRIC, OPT_IN, SYMMETRIC, algorithms_for

RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

FITTING: dict[tuple[str, str | None], set[str]] = {
    ("RSA", None): RSA,
    ("RSA", "P-256"): RSA,
    ("EC", "P-256"): {"ES256"},
    ("EC", "P-384"): {"ES384"},
    ("EC", "P-521"): {"ES512"},
    ("EC", "secp256k1"): {"ES256K"},
    ("EC", "P-192"): set(),
    ("EC", None): set(),
    ("EC", "Ed25519"): set(),
    ("OKP", "Ed25519"): {"EdDSA", "Ed25519"},
    ("OKP", "Ed448"): {"EdDSA", "Ed448"},
    ("OKP", "X25519"): set(),
    ("OKP", "P-256"): set(),
    ("oct", None): {"HS256", "HS384", "HS512"},
    ("rsa", None): set(),
    ("AKP", None): {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"},
    ("akp", None): set(),
}


@pytest.mark.parametrize(("kty", "crv"), FITTING)
def test_key_fits_the_algorithms_of_its_type_and_curve(kty: str, crv: str | None) -> None:
    """RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 8812 section 3.2, RFC 9864 section 2, RFC 9964."""
    assert algorithms_for(kty, crv) == FITTING[kty, crv]


def test_default_algorithms() -> None:
    """Every asymmetric algorithm but ES256K and ML-DSA; no secret, and never `none`."""
    assert set(ASYMMETRIC) == set(ALGORITHMS) - SYMMETRIC - OPT_IN
    assert set(ASYMMETRIC) == RSA | {"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"}
    assert "none" not in ALGORITHMS


def test_lengths_of_signatures() -> None:
    """ECDSA: two coordinates (RFC 7518 section 3.4); EdDSA: RFC 8032; ML-DSA: FIPS 204; HMAC: the hash; RSA: the key decides."""
    lengths = {name: row.signature_length for name, row in ALGORITHMS.items() if row.signature_length}
    assert lengths == {
        "ES256": 64, "ES384": 96, "ES512": 132, "ES256K": 64, "Ed25519": 64, "Ed448": 114,
        "ML-DSA-44": 2420, "ML-DSA-65": 3309, "ML-DSA-87": 4627,
        "HS256": 32, "HS384": 48, "HS512": 64,
    }  # fmt: skip
