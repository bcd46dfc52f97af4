"""Errors say what is wrong, in their text and as attributes."""

from __future__ import annotations

from bearward.errors import AuthError, ConfigurationError, KeysNeededError
from bearward.refusals import Fault, Refusal


def test_text_repr_and_attributes_of_an_error() -> None:
    """Its code in the repr; its text with the claim's name; the rest as attributes."""
    error = AuthError(Refusal.CLAIM_MISSING, claim="sub")
    assert repr(error) == "AuthError('claim_missing')"
    assert str(error) == "the token lacks a required claim: sub"
    assert str(AuthError(Refusal.TOKEN_EXPIRED)) == "the token has expired"
    bare = AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.5)
    assert (bare.code, bare.fault, bare.retry_after, bare.scopes) == ("keys_unavailable", Fault.SERVICE, 1.5, ())
    assert (bare.claim, bare.acr_values, bare.max_age) == (None, (), None)


def test_other_errors_say_what_is_wrong() -> None:
    """A setting's error names it and says what it must be; keys that are needed are no error of a caller."""
    wrong = ConfigurationError("audience", "must be a string")
    assert (wrong.setting, wrong.requirement, str(wrong)) == (
        "audience",
        "must be a string",
        "audience: must be a string",
    )
    assert isinstance(wrong, ValueError)
    assert not isinstance(KeysNeededError(), AuthError | ValueError)
    assert "keys" in str(KeysNeededError())
