"""The DER form in which an ECDSA signature is forwarded says what the raw one said (RFC 3279, RFC 7518 section 3.4)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from bearward.jose.ecdsa_der import to_der
from tests.properties.profiles import examples

_NUMBERS = st.one_of(
    st.binary(min_size=66, max_size=66),
    st.integers(0, 66).flatmap(lambda zeros: st.binary(min_size=66, max_size=66).map(lambda b: bytes(zeros) + b)),
)


@pytest.mark.parametrize("half", [32, 48, 66])
@examples(300)
@given(_NUMBERS, _NUMBERS)
def test_raw_and_der_are_the_same_numbers(half: int, r: bytes, s: bytes) -> None:
    """Whatever their leading octets: high bits get a zero in front, zeros go."""
    r, s = r[:half], s[:half]
    expected = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    assert to_der(r + s) == expected
