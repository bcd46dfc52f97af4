"""From any input whatsoever the check of a DPoP proof returns a Proof or raises an AuthError, and nothing else.

And no change of a good proof, to any of its characters or claims, leaves it good for another request.
"""

# ruff: noqa: PT017  (both outcomes are right: what is asserted is that there is no third)

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bearward import AuthError
from bearward.dpop import DPoP, DPoPNonces, LocalReplays, Proof, check_proof, single_proof
from bearward.possession import Presented, check_sender
from bearward.sender import Scheme
from bearward.testing import DPoPClient, json_octets
from tests.properties.claim_values import claim_sets
from tests.properties.json_bytes import documents
from tests.properties.profiles import examples

NOW = 1_800_000_000
ORIGIN, PATH, TOKEN = "https://api.example", "/notes", "token"
CLIENT = DPoPClient(clock=lambda: NOW)
NONCES = DPoPNonces(b"0123456789abcdef")
POLICIES = [DPoP(origins=ORIGIN), DPoP(origins=ORIGIN, window=1, algorithms=["ES256"], nonces=NONCES)]
HONEST = CLIENT.proof("GET", ORIGIN + PATH, token=TOKEN, iat=NOW, nonce=NONCES.current(NOW))


def check(proof: str, policy: DPoP, **request: Any) -> Proof | AuthError:
    """The proof, or the refusal; anything else that is raised fails the test."""
    asked = {"token": TOKEN, "jkt": CLIENT.jkt, "htm": "GET", "path": PATH, "now": float(NOW), **request}
    try:
        return check_proof(proof, policy=policy, **asked)
    except AuthError as error:
        assert proof not in f"{error!r} {error}" or len(proof) < 8
        return error


@examples(300)
@given(st.text() | st.text("abc.-_=", max_size=30), st.sampled_from(POLICIES))
@example("..", POLICIES[0])
def test_any_text_is_not_a_proof(text: str, policy: DPoP) -> None:
    """No text but a signed one is a proof."""
    assert isinstance(check(text, policy), AuthError)


@examples(300)
@given(documents, documents, st.sampled_from(POLICIES))
def test_any_signed_document_is_judged(header: bytes, payload: bytes, policy: DPoP) -> None:
    """Whatever stands in header and payload."""
    assert isinstance(check(CLIENT.sign(header, payload), policy), Proof | AuthError)


_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())


@examples(300)
@given(
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "alg", "use", "key_ops", "x5c"]), _VALUES),
    st.sampled_from(POLICIES),
)
def test_any_jwk_is_judged(members: dict[str, Any], policy: DPoP) -> None:
    """Whatever stands in the `jwk`."""
    proof = CLIENT.proof("GET", ORIGIN + PATH, token=TOKEN, headers={"jwk": {**CLIENT.jwk, **members}}, iat=NOW)
    assert isinstance(check(proof, policy), Proof | AuthError)


@examples(300)
@given(st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"]), _VALUES))
def test_proof_passes_only_for_its_own_request(claims: dict[str, Any]) -> None:
    """Whatever the claims say: a proof passes for the request that they name, and for no other."""
    header, honest = CLIENT.header(), CLIENT.claims("GET", ORIGIN + PATH, TOKEN)
    proof = CLIENT.sign(json_octets(header), json_octets({**honest, **claims}))
    assert isinstance(check(proof, POLICIES[0]), Proof | AuthError)
    for request in ({"htm": "POST"}, {"path": "/other"}, {"token": "other"}, {"jkt": "other"}, {"now": NOW + 1e6}):
        outcome = check(proof, POLICIES[0], **request)
        told = {"htm": claims.get("htm"), "now": claims.get("iat")}
        assert isinstance(outcome, AuthError) or any(name in told and told[name] for name in request)


@examples(500)
@given(st.integers(0, len(HONEST) - 1), st.characters(codec="utf-8"))
def test_any_changed_character_invalidates_a_proof(index: int, character: str) -> None:
    """One other character anywhere makes a good proof a bad one."""
    changed = HONEST[:index] + character + HONEST[index + 1 :]
    assert isinstance(check(changed, POLICIES[1]), Proof if changed == HONEST else AuthError)


@examples(300)
@given(st.lists(st.text() | st.binary(), max_size=3))
def test_any_dpop_fields_give_a_proof_or_a_refusal(values: list[str | bytes]) -> None:
    """Whatever stands in the `DPoP` fields: one text, or a refusal."""
    try:
        assert "," not in single_proof(values)
    except AuthError as error:
        assert error.code.startswith("dpop_proof_")


@examples(300)
@given(claim_sets(), st.sampled_from(Scheme), st.none() | st.text(), st.sampled_from([None, *POLICIES]))
def test_any_confirmation_needs_its_proof(
    claims: Any, scheme: Scheme, certificate: str | None, policy: DPoP | None
) -> None:
    """Whatever an issuer puts into `cnf`: a token that is bound passes with its proof only."""
    given_claims = claims if isinstance(claims, dict) else {"cnf": claims}
    try:
        sender, proof = check_sender(
            given_claims, Presented(scheme, TOKEN, [HONEST], "GET", PATH, certificate), policy, NOW
        )
    except AuthError:
        return
    assert sender.is_bearer == ("cnf" not in given_claims)
    if proof is not None:
        LocalReplays().record_now(proof, NOW)
