"""The `Authorization` value: one bearer token, or the refusal that fits (RFC 6750 section 2.1, RFC 9110 section 11)."""

from __future__ import annotations

import pytest

from bearward.credentials import bearer_token
from bearward.errors import AuthError
from bearward.refusals import Refusal

ACCEPTED = {
    "Bearer a.b.c": "a.b.c",
    "bearer a.b.c": "a.b.c",
    "BEARER a.b.c": "a.b.c",
    "Bearer   a.b.c": "a.b.c",
    "  Bearer a.b.c  ": "a.b.c",
    "\tBearer a.b.c\t": "a.b.c",
    "Bearer a": "a",
    "Bearer az09AZ-._~+/": "az09AZ-._~+/",
    "Bearer a=": "a=",
    "Bearer a.b.c====": "a.b.c====",
}

REFUSED = {
    "": "credentials_missing",
    " ": "credentials_missing",
    "\t": "credentials_missing",
    "a.b.c": "credentials_missing",
    "Basic dTpw": "credentials_missing",
    "eyJ.b.c": "bearer_scheme_missing",
    "eyJ.b.c.d.e": "bearer_scheme_missing",
    "JWT eyJ.b.c": "bearer_scheme_missing",
    " Token  eyJ.b.c ": "bearer_scheme_missing",
    "Bearer: eyJ.b.c": "bearer_scheme_missing",
    "Basic dTpw, Bearer eyJ.b.c": "bearer_scheme_missing",
    "eyJ.b": "credentials_missing",
    "Token eyj.b.c": "credentials_missing",
    "Bearers a.b.c": "credentials_missing",
    "Bear a.b.c": "credentials_missing",
    "Bearer:a.b.c": "credentials_missing",
    "Bearer\ta.b.c": "credentials_missing",
    "Bearer\u00a0a.b.c": "credentials_missing",
    "Bearer\x00 a.b.c": "credentials_missing",
    "B\u0113arer a.b.c": "credentials_missing",
    "Basic dTpw, Bearer a.b.c": "credentials_missing",
    "Bearer": "credentials_malformed",
    "Bearer ": "credentials_malformed",
    "bearer   ": "credentials_malformed",
    "Bearer a b": "credentials_malformed",
    "Bearer a, Bearer b": "credentials_malformed",
    "Bearer a,b": "credentials_malformed",
    'Bearer "a"': "credentials_malformed",
    "Bearer =": "credentials_malformed",
    "Bearer =a": "credentials_malformed",
    "Bearer a=b": "credentials_malformed",
    "Bearer {}": "credentials_malformed",
    "Bearer a\tb": "credentials_malformed",
    "Bearer \ta": "credentials_malformed",
    "Bearer a\n": "credentials_malformed",
    "Bearer a\x00": "credentials_malformed",
    "Bearer a\x7f": "credentials_malformed",
    "Bearer é": "credentials_malformed",
    "Bearer \ud800": "credentials_malformed",
    "Bearer a\u2028": "credentials_malformed",
    "Bearer Bearer a": "credentials_malformed",
}


@pytest.mark.parametrize("value", ACCEPTED)
def test_authorization_value_gives_one_credential(value: str) -> None:
    """The scheme in any case, one space or more, a token68; as text or as octets."""
    assert bearer_token([value]) == ACCEPTED[value]
    assert bearer_token([value.encode()]) == ACCEPTED[value]


@pytest.mark.parametrize("value", REFUSED)
def test_malformed_credentials_are_refused(value: str) -> None:
    """Another scheme is no bearer token; a `Bearer` that does not follow the grammar is malformed."""
    assert _code([value]) == REFUSED[value]
    assert _code([value.encode("utf-8", "surrogatepass")]) == REFUSED[value]


def test_credentials_that_are_not_ascii_are_refused() -> None:
    """Octets need not be UTF-8."""
    assert _code([b"Bearer \xff"]) == "credentials_malformed"
    assert _code([b"\xff a"]) == "credentials_missing"


def test_exactly_one_credential_is_accepted() -> None:
    """No value is no credential; of two values none is looked at."""
    assert _code([]) == "credentials_missing"
    for values in (["Bearer a"] * 2, ["Bearer a", ""], ["", ""], ["Basic dTpw", "Bearer a"], [b"Bearer a"] * 9):
        assert _code(values) == "credentials_repeated"


def test_token_length_is_bounded() -> None:
    """To the character; what is far beyond is refused unread."""
    assert bearer_token(["Bearer " + "a" * 100], max_length=100) == "a" * 100
    assert _code(["Bearer " + "a" * 101], max_length=100) == "token_too_large"
    assert _code(["x" * 117], max_length=100) == "token_too_large"
    assert bearer_token(["Bearer " + "a" * 16384]) == "a" * 16384
    assert _code(["Bearer " + "a" * 16385]) == "token_too_large"


def _code(values: list[str] | list[bytes], **settings: int) -> str:
    with pytest.raises(AuthError) as refused:
        bearer_token(values, **settings)
    return refused.value.code


@pytest.mark.parametrize("token", ["X", "Xa", "aX", "XaX", "-._~+/", "a=="])
def test_only_white_space_around_a_token_is_removed(token: str) -> None:
    """Whatever letters it begins and ends with."""
    assert bearer_token([f" \tBearer   {token}\t "]) == token


def test_authorization_value_length_is_bounded() -> None:
    """Room for the scheme and some white space; one more is refused unread."""
    token = "a" * 100
    longest = "Bearer" + " " * 10 + token
    assert bearer_token([longest], max_length=100) == token
    for value, length in ((longest + " ", 100), ("Bearer " + token, 99), ("Basic " + token * 2, 100)):
        with pytest.raises(AuthError) as refused:
            bearer_token([value], max_length=length)
        assert refused.value.refusal is Refusal.TOKEN_TOO_LARGE
