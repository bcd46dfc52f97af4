"""Any text has an explanation, which agrees with the verification, and which says nothing of what it hides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, TrustedIssuer, requires, scope
from bearward.explanation import explain
from bearward.jose.compact import parse_compact
from bearward.testing import SigningKey, json_octets, sign_segments
from bearward.verification import verify_token
from tests.core.tokens import ISSUER, KEY, NOW, POLICY, key_set

HELD = key_set(KEY.public_jwk())
OTHER = SigningKey.generate("ES256", kid="k")
POLICIES = (
    POLICY,
    TrustedIssuer(ISSUER, audience=["api", "web"], leeway=30, max_token_age=600, required_claims=["sub", "jti"]),
    TrustedIssuer(ISSUER, client_ids=["app"], expected_claims={"use": ["a", 1, True]}, refused_claims=["nonce"]),
    TrustedIssuer(ISSUER, unsafe_any_audience=True, unsafe_allow_no_expiry=True, sender="constrained"),
    TrustedIssuer(ISSUER, audience="api", subject_claim=["oid", "sub"], authorized_parties=["app"], sender="bearer"),
)
NAMES = (
    "iss",
    "aud",
    "sub",
    "jti",
    "exp",
    "nbf",
    "iat",
    "cnf",
    "client_id",
    "azp",
    "use",
    "nonce",
    "oid",
    "scope",
    "x",
)
TIMES = st.integers(-700, 700).map(lambda away: NOW + away)
LIKELY = st.sampled_from([ISSUER, ISSUER + "/", "api", "web", "app", "a", True, 1, ["api", "x"], ["x", "web"], []])
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = st.dictionaries(st.sampled_from(NAMES), LIKELY | TIMES | ANY, max_size=8)
GOOD: dict[str, Any] = {"iss": ISSUER, "aud": "api", "exp": NOW + 300}


def verdict(token: str, policy: TrustedIssuer) -> str | None:
    """The code of a verification by this policy; None where it accepts."""
    try:
        unverified = parse_compact(token)
        if unverified.claims.get("iss") != policy.issuer:
            return "another issuer"
        verify_token(unverified, policy, HELD, NOW)
    except AuthError as refused:
        return refused.code
    return None


@given(
    claims=CLAIMS,
    policy=st.sampled_from(POLICIES),
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "x"]), st.sampled_from(["none", "k", "JWT", "y"]), max_size=2
    ),
    key=st.sampled_from([KEY, OTHER]),
)
def test_explanation_agrees_with_the_verification(
    claims: dict[str, Any], policy: TrustedIssuer, header: dict[str, str], key: SigningKey
) -> None:
    """Whatever a token says, under whichever policy: one reason, found by a check of its own."""
    members = {"alg": "ES256", "kid": "k", **header}
    try:
        token = sign_segments(json_octets(members), json_octets({**GOOD, **claims}), key)
    except ValueError:  # a lone surrogate is no JSON text
        return
    found = explain(token, [policy], keys=lambda _: HELD, now=NOW)
    expected = verdict(token, policy)
    assert found.first_wrong is None or found.first_wrong.refusal is found.refusal
    assert "request" not in [check.name for check in found.checks]
    if expected == "another issuer":
        assert found.code in ("issuer_untrusted", "claim_malformed", "claim_missing")
    else:
        assert found.code == expected


@given(
    text=st.text() | st.text("abc._-= \n{}\"'", max_size=40) | st.binary().map(lambda octets: octets.decode("latin-1"))
)
def test_any_text_has_an_explanation(text: str) -> None:
    """Without an exception, in lines that a terminal can show, and without the text itself."""
    found = explain(text, POLICIES, keys=lambda _: None, now=NOW, access=requires(scope("a")), show_claims=True)
    assert found.code is not None
    for line in found.to_text().splitlines():
        assert line.isprintable()


@pytest.mark.parametrize("now", [0.0, 1e300, -1e300])
def test_any_moment_has_an_explanation(now: float) -> None:
    """Also the first, and one that nobody will see."""
    token = sign_segments(json_octets({"alg": "ES256", "kid": "k"}), json_octets(GOOD), KEY)
    assert explain(token, [POLICY], keys=lambda _: HELD, now=now).checks
