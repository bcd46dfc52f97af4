"""The challenge always parses, and says what RFC 6750, RFC 9470 and RFC 9728 want said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bearward.challenge import challenge, challenges, quoted
from bearward.dpop import DPoP
from bearward.errors import AuthError
from bearward.refusals import Fault, Refusal

# RFC 9110 section 11.2: auth-param = token BWS "=" BWS ( token / quoted-string )
PARAMETER = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)="((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"(?:, |$)')


def _parsed(value: str, scheme: str = "Bearer") -> dict[str, str]:
    assert value.startswith(scheme)
    rest, held = value[len(scheme) + 1 :], {}
    while rest:
        match = PARAMETER.match(rest)
        assert match is not None, rest
        assert match[1] not in held
        held[match[1]] = re.sub(r"\\(.)", r"\1", match[2])
        rest = rest[match.end() :]
    return held


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal(refusal: Refusal) -> None:
    """Ours has no challenge; a caller's has one that parses, with `error` where credentials were presented."""
    value = challenge(AuthError(refusal))
    if refusal.fault is Fault.SERVICE:
        assert value is None
        return
    assert value is not None
    held = _parsed(value)
    assert held.get("error") == (refusal.error.value if refusal.error else None)
    assert held.get("error_description") == (refusal.message if refusal.error else None)
    assert held["realm"] == "api"


def test_everything_at_once() -> None:
    """Scopes, step-up and the resource's metadata stand beside the error."""
    error = AuthError(Refusal.AUTHENTICATION_INSUFFICIENT, acr_values=("urn:mfa", "gold"), max_age=0, scopes=("a", "b"))
    held = _parsed(challenge(error, realm="notes", resource_metadata="https://api.example/.well-known/x") or "")
    assert held == {
        "realm": "notes",
        "error": "insufficient_user_authentication",
        "error_description": "a stronger or more recent authentication is required",
        "scope": "a b",
        "acr_values": "urn:mfa gold",
        "max_age": "0",
        "resource_metadata": "https://api.example/.well-known/x",
    }


def test_challenge_without_credentials_has_no_error() -> None:
    """RFC 6750 section 3.1: who brought nothing is told nothing about an error, but what is needed."""
    missing = AuthError(Refusal.CREDENTIALS_MISSING)
    assert challenge(missing) == 'Bearer realm="api"'
    assert challenge(missing, realm=None) == "Bearer"
    assert challenge(missing, scheme="DPoP") == 'DPoP realm="api"'
    assert challenge(missing, scopes=("notes:read",)) == 'Bearer realm="api", scope="notes:read"'


def test_refusals_scopes_go_before_the_resources() -> None:
    """What a refusal lacks goes before what the resource needs."""
    error = AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("notes:write",))
    assert _parsed(challenge(error, scopes=("notes:read",)) or "")["scope"] == "notes:write"


@pytest.mark.parametrize("text", ['a"b', "a\\", '\\"', "a\r\nSet-Cookie: x=1", "é\x00\x7f\u2028", "", "a, b=c"])
def test_quoted_strings_are_escaped(text: str) -> None:
    """Quotes and backslashes are escaped, octets that no quoted-string may hold become question marks."""
    value = challenge(AuthError(Refusal.CLAIM_MISSING, claim=text), realm=text)
    assert value is not None
    assert value.isascii()
    assert value.isprintable()
    held = _parsed(value)
    assert held["realm"] == "".join(c if " " <= c <= "~" else "?" for c in text)
    assert set(held) == {"realm", "error", "error_description"}


@pytest.mark.parametrize(("text", "value"), [("", '""'), ("a", '"a"'), ('"', '"\\""'), ("\\", '"\\\\"'), ("\n", '"?"')])
def test_quoted(text: str, value: str) -> None:
    """RFC 9110 section 5.6.4."""
    assert quoted(text) == value


def test_quoted_string_holds_all_visible_characters() -> None:
    """From the space to the tilde, and nothing beyond."""
    assert quoted(" !~") == '" !~"'
    assert quoted("\x1f\x7f\xa0é") == '"????"'


ALLOWED = DPoP(origins="https://api.example", algorithms=["ES256", "EdDSA"])
REQUIRED = DPoP(origins="https://api.example", required=True)


def _under(scheme: str | None, refusal: Refusal, **details: Any) -> AuthError:
    error = AuthError(refusal, **details)
    error.scheme = scheme
    return error


@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize("scheme", [None, "DPoP"])
def test_two_schemes_side_by_side(refusal: Refusal, scheme: str | None) -> None:
    """Each has a challenge that parses; the first one, and no other, says what is wrong: it is the one concerned."""
    made = challenges(_under(scheme, refusal), dpop=ALLOWED)
    if refusal.fault is Fault.SERVICE:
        assert made == ()
        return
    concerned = "DPoP" if scheme == "DPoP" or refusal.name.startswith("DPOP_") else "Bearer"
    other = "Bearer" if concerned == "DPoP" else "DPoP"
    first, second = _parsed(made[0], concerned), _parsed(made[1], other)
    assert first.get("error") == (refusal.error.value if refusal.error else None)
    assert "error" not in second
    held = {concerned: first, other: second}
    assert held["DPoP"]["algs"] == "ES256 EdDSA"
    assert "algs" not in held["Bearer"]


def test_required_dpop_omits_the_bearer_challenge() -> None:
    """A bearer token is refused under the one scheme that would do."""
    (only,) = challenges(AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED), dpop=REQUIRED)
    assert _parsed(only, "DPoP")["error"] == "invalid_token"


def test_bearer_challenge_stands_alone_without_dpop() -> None:
    """The same as ever."""
    error = AuthError(Refusal.TOKEN_EXPIRED)
    assert challenges(error) == (challenge(error),)


def test_each_scheme_names_the_scopes_that_are_needed() -> None:
    """RFC 6750 section 3: `scope` is what the resource needs, whatever the scheme."""
    made = challenges(_under("DPoP", Refusal.SCOPE_INSUFFICIENT, scopes=("notes:read",)), dpop=ALLOWED)
    assert [_parsed(made[0], "DPoP")["scope"], _parsed(made[1])["scope"]] == ["notes:read"] * 2
    assert _parsed(made[0], "DPoP")["error"] == "insufficient_scope"
