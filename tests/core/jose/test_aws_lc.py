"""Signatures by AWS-LC: what it is asked, what it is not, and that it never changes a verdict."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import TrustedIssuer, Verifier
from bearward.jose import aws_lc
from bearward.jose.algorithms import SYMMETRIC
from bearward.jose.jwk import read_key
from bearward.testing import SigningKey
from tests.core.fake_clock import FakeClock
from tests.core.tokens import ISSUER, KEY, token_of
from tests.properties.fixtures import ALGORITHM_NAMES
from tests.properties.profiles import examples
from tests.signature_libraries import LIBRARIES, signatures_by

MESSAGE = b"header.payload"
SIGNERS = {alg: SigningKey.generate(alg) for alg in aws_lc.ALGORITHMS}


def _library(alg: str) -> str:
    """Which library a new key verifies by."""
    signer = SigningKey.generate(alg)
    key = read_key(signer.public_jwk())
    assert key.verify(alg, MESSAGE, signer.sign(MESSAGE))
    return "aws-lc" if type(key._verifying[alg]).__module__ == aws_lc.__name__ else "cryptography"


@pytest.mark.parametrize("alg", sorted(set(ALGORITHM_NAMES) - SYMMETRIC))
def test_three_algorithms_are_verified_by_aws_lc(alg: str) -> None:
    """RS256, PS256 and ES256 are; all others stay with `cryptography`."""
    with signatures_by("aws-lc"):
        assert _library(alg) == ("aws-lc" if alg in ("RS256", "PS256", "ES256") else "cryptography")
    with signatures_by("cryptography"):
        assert _library(alg) == "cryptography"


def test_key_that_aws_lc_does_not_take_is_left_to_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where awscrt refuses a key that was found to be good, its tokens are good all the same."""

    class Picky:
        @staticmethod
        def new_key_from_der_data(_: bytes) -> object:
            raise ValueError("not taken")

    with signatures_by("aws-lc"):
        monkeypatch.setattr(aws_lc, "EC", Picky)
        assert _library("ES256") == "cryptography"
        assert _library("RS256") == "aws-lc"


@pytest.mark.parametrize("alg", SIGNERS)
def test_signature_without_a_verdict_is_left_to_cryptography(alg: str) -> None:
    """What raises in awscrt is decided by `cryptography`, and raises nothing."""
    with signatures_by("aws-lc"):
        key = read_key(SIGNERS[alg].public_jwk())
        assert key.verify(alg, MESSAGE, SIGNERS[alg].sign(MESSAGE))
    verifying = key._verifying[alg]

    def broken(*_: object) -> bool:
        raise RuntimeError("no verdict")

    verifying._verify = broken  # type: ignore[attr-defined]
    assert key.verify(alg, MESSAGE, SIGNERS[alg].sign(MESSAGE)) is True
    assert key.verify(alg, MESSAGE + b"x", SIGNERS[alg].sign(MESSAGE)) is False


@examples(150)
@given(st.sampled_from(sorted(SIGNERS)), st.binary(max_size=300), st.integers(0, 2048), st.integers(0, 255), st.data())
def test_both_libraries_give_the_same_verdict(
    alg: str, message: bytes, bit: int, change: int, data: st.DataObject
) -> None:
    """Whatever octets of a signature are changed, replaced or zero, both say the same, and nothing raises."""
    good = SIGNERS[alg].sign(message)
    changed = bytearray(good)
    changed[bit % len(good)] ^= change
    half = len(good) // 2
    octets = data.draw(
        st.sampled_from(
            [
                bytes(changed),
                bytes(half) + good[half:],
                good[:half] + bytes(half),
                b"\xff" * len(good),
                good[half:] + good[:half],
                bytes(len(good)),
            ]
        )
    )
    verdicts = []
    for library in LIBRARIES:
        with signatures_by(library):
            verdicts.append(read_key(SIGNERS[alg].public_jwk()).verify(alg, message, octets))
    assert verdicts == [octets == good] * 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_health_names_the_library(library: str) -> None:
    """An operator sees which library verifies signatures."""
    policy = TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]})
    with signatures_by(library):
        verifier = Verifier(policy, clock=FakeClock())
        assert verifier.verify_now(token_of(KEY)).issuer == ISSUER
        assert verifier.health().signatures == library
        assert verifier.health().to_dict()["signatures"] == library


def test_cryptography_verifies_without_awscrt() -> None:
    """It is an extra: where it is not installed, nothing asks for it, and it cannot be switched on."""
    code = """
import sys
sys.modules["awscrt"] = None
from bearward.jose import aws_lc
from bearward.jose.jwk import read_key
from bearward.testing import SigningKey
aws_lc.use(True)
signer = SigningKey.generate("ES256")
print(aws_lc.is_installed(), aws_lc.is_used(), read_key(signer.public_jwk()).verify("ES256", b"m", signer.sign(b"m")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]
