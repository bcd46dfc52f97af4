"""The catalogue of refusals: stable, whole, and silent about tokens."""

from __future__ import annotations

import pytest

from bearward.refusals import Fault, OAuthError, Refusal

# Codes are on the wire: one that is missing here is new, one that is here and missing there was taken from callers.
CODES = [
    "credentials_missing",
    "bearer_scheme_missing",
    "credentials_malformed",
    "credentials_repeated",
    "token_too_large",
    "token_malformed",
    "token_encrypted",
    "token_json_serialized",
    "token_compressed",
    "token_nested",
    "token_type_not_allowed",
    "header_malformed",
    "header_critical",
    "payload_unencoded",
    "payload_malformed",
    "algorithm_not_allowed",
    "key_unknown",
    "key_unsuitable",
    "key_withdrawn",
    "signature_invalid",
    "issuer_untrusted",
    "audience_mismatch",
    "token_expired",
    "token_not_yet_valid",
    "token_issued_in_future",
    "token_too_old",
    "claim_missing",
    "claim_malformed",
    "claim_mismatch",
    "token_revoked",
    "token_replayed",
    "token_sender_constrained",
    "token_not_bound",
    "ticket_invalid",
    "sender_constraint_required",
    "dpop_proof_missing",
    "dpop_proof_repeated",
    "dpop_proof_malformed",
    "dpop_proof_type_not_allowed",
    "dpop_algorithm_not_allowed",
    "dpop_key_invalid",
    "dpop_claim_missing",
    "dpop_claim_malformed",
    "dpop_method_mismatch",
    "dpop_uri_mismatch",
    "dpop_proof_expired",
    "dpop_proof_not_yet_valid",
    "dpop_token_mismatch",
    "dpop_signature_invalid",
    "dpop_key_mismatch",
    "dpop_replayed",
    "dpop_nonce_required",
    "client_certificate_malformed",
    "client_certificate_repeated",
    "scope_insufficient",
    "claim_insufficient",
    "replay_unavailable",
    "check_failed",
    "check_unavailable",
    "replay_unavailable",
    "no_rule",
    "csrf_check_failed",
    "authentication_insufficient",
    "keys_unavailable",
    "revocation_unavailable",
    "dpop_unavailable",
    "internal_error",
]


def test_codes_never_change() -> None:
    """A code that callers may have seen keeps its name; a new one is written down here."""
    assert {refusal.code for refusal in Refusal} == set(CODES)


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refusal(refusal: Refusal) -> None:
    """It says whose fault it is, in its own text that fits a quoted-string (RFC 6750 section 3)."""
    assert isinstance(refusal.fault, Fault)
    assert refusal.message.isascii()
    assert not set('"\\') & set(refusal.message)
    assert sum(other.message == refusal.message for other in Refusal) == 1
    assert (refusal.fault is Fault.SERVICE) <= (refusal.error is None)


FAULTS = {
    Fault.SERVICE: {
        "keys_unavailable",
        "revocation_unavailable",
        "dpop_unavailable",
        "check_unavailable",
        "replay_unavailable",
        "internal_error",
    },
    Fault.PERMISSION: {"scope_insufficient", "claim_insufficient", "check_failed", "no_rule", "csrf_check_failed"},
}
REQUEST = {
    "credentials_malformed",
    "credentials_repeated",
    "client_certificate_malformed",
    "client_certificate_repeated",
}


def test_whose_fault() -> None:
    """What is not about rights and not ours is about credentials."""
    for fault, codes in FAULTS.items():
        assert {refusal.code for refusal in Refusal if refusal.fault is fault} == codes


def test_errors_of_rfc_6750() -> None:
    """How a token is presented is invalid_request, a token that is no good invalid_token, nothing brought nothing."""
    errors = {refusal.code: refusal.error for refusal in Refusal}
    assert {code for code, error in errors.items() if error is OAuthError.INVALID_REQUEST} == REQUEST
    assert errors["credentials_missing"] is None
    assert errors["authentication_insufficient"] is OAuthError.INSUFFICIENT_USER_AUTHENTICATION
    rights = {"scope_insufficient", "claim_insufficient"}
    assert {code for code, error in errors.items() if error is OAuthError.INSUFFICIENT_SCOPE} == rights
    tokens = {code for code, error in errors.items() if error is OAuthError.INVALID_TOKEN}
    assert tokens == set(CODES[CODES.index("token_too_large") : CODES.index("sender_constraint_required") + 1])


def test_errors_of_rfc_9449() -> None:
    """What is wrong with a proof is invalid_dpop_proof, but for a nonce that is asked for, and for troubles of ours."""
    errors = {refusal.code: refusal.error for refusal in Refusal if refusal.name.startswith("DPOP_")}
    assert errors.pop("dpop_nonce_required") is OAuthError.USE_DPOP_NONCE
    assert errors.pop("dpop_unavailable") is None
    assert set(errors.values()) == {OAuthError.INVALID_DPOP_PROOF}
