"""Where an issuer's tokens are: which places there can be, and what is found in one."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, TrustedIssuer, Verifier
from bearward.credential_place import CredentialPlace

BARE = CredentialPlace(header="X-Goog-IAP-JWT-Assertion")
SCHEMED = CredentialPlace(header="x-forwarded-authorization", scheme="Bearer")
COOKIE = CredentialPlace(cookie="CF_Authorization")
PADDED = CredentialPlace(header="x-amzn-oidc-data", padded=True)
LONGEST = "a" * 16_384

FOUND: list[tuple[CredentialPlace, list[str | bytes], str | None]] = [
    (BARE, [], None),
    (BARE, ["abc.def.ghi"], "abc.def.ghi"),
    (BARE, [b" abc.def.ghi\t"], "abc.def.ghi"),
    (SCHEMED, ["bearer abc.def.ghi"], "abc.def.ghi"),
    (SCHEMED, ["Bearer   Xbc.def.ghi "], "Xbc.def.ghi"),
    (COOKIE, ["abc.def.ghi"], "abc.def.ghi"),
    (BARE, ["X~b+c/d=="], "X~b+c/d=="),
    (BARE, ["abc.def.ghX"], "abc.def.ghX"),
    (BARE, [LONGEST], LONGEST),
    (BARE, [" " * 16 + LONGEST], LONGEST),
    (PADDED, ["a===.b==.c="], "a===.b==.c="),
]

REFUSED: list[tuple[CredentialPlace, list[str | bytes], str]] = [
    (BARE, ["abc", "abc"], "credentials_repeated"),
    (BARE, [""], "credentials_malformed"),
    (BARE, ["Bearer abc.def.ghi"], "credentials_malformed"),
    (BARE, ["abc,def"], "credentials_malformed"),
    (BARE, ["äbc"], "credentials_malformed"),
    (BARE, ["a" * 16_385], "token_too_large"),
    (BARE, ["a" * 17_000], "token_too_large"),
    (BARE, [" " * 17 + LONGEST], "token_too_large"),
    (BARE, ["\x0babc.def.ghi"], "credentials_malformed"),
    (BARE, ["\ud800"], "credentials_malformed"),
    (BARE, ["a===.b==.c="], "credentials_malformed"),
    (PADDED, ["a+b"], "credentials_malformed"),
    (SCHEMED, ["Bearer \tabc"], "credentials_malformed"),
    (SCHEMED, ["abc.def.ghi"], "credentials_malformed"),
    (SCHEMED, ["Bearer"], "credentials_malformed"),
    (SCHEMED, ["Basic abc"], "credentials_malformed"),
]


@pytest.mark.parametrize(("place", "values", "token"), FOUND, ids=range(len(FOUND)))
def test_token_of_a_place(place: CredentialPlace, values: list[str | bytes], token: str | None) -> None:
    """Bare, or after the scheme; nothing if the request has nothing there."""
    assert place.token(values) == token


@pytest.mark.parametrize(("place", "values", "code"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_value_in_a_credential_place(place: CredentialPlace, values: list[str | bytes], code: str) -> None:
    """More than one value, no token, or one that is too large."""
    with pytest.raises(AuthError) as caught:
        place.token(values)
    assert caught.value.code == code


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "place: must be either a header or a cookie"),
    ({"header": "x", "cookie": "y"}, "place: must be either a header or a cookie"),
    ({"header": ""}, "place.header: must be the name of a header that holds text"),
    ({"header": "x y"}, "place.header: must be the name of a header that holds text"),
    ({"header": "x-token-bin"}, "place.header: must be the name of a header that holds text"),
    ({"header": 1}, "place.header: must be the name of a header that holds text"),
    ({"header": "Authorization"}, "place.header: must not be authorization, which is read separately"),
    ({"header": "cookie"}, "place.header: must not be cookie, which is read separately"),
    ({"cookie": "a=b"}, "place.cookie: must be the name of a cookie"),
    ({"cookie": "a", "scheme": "Bearer"}, "place.scheme: must be a scheme such as Bearer, for a header"),
    ({"header": "x", "scheme": "Bearer "}, "place.scheme: must be a scheme such as Bearer, for a header"),
    ({"header": "x", "padded": "yes"}, "place.padded: must be true or false"),
    (
        {"header": "x", "header_claims": ["kid"]},
        "place.header_claims: must be names of claims, not of what a JOSE header has anyway",
    ),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=range(len(WRONG)))
def test_place_that_cannot_be_is_a_configuration_error(fields: dict[str, Any], message: str) -> None:
    """The message says what the field must be."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialPlace(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize("scheme", ["Bearer", "Token"])
def test_one_header_is_read_in_one_way(scheme: str) -> None:
    """Where one issuer's tokens stand bare, those of another cannot come after a scheme; nor after two schemes."""
    other = CredentialPlace(header="x-token", scheme=None if scheme == "Bearer" else "Bearer")
    places = {"https://one.example": CredentialPlace(header="x-token", scheme=scheme), "https://two.example": other}
    with pytest.raises(ConfigurationError, match="place: must have one scheme for the header x-token"):
        Verifier(*(TrustedIssuer(issuer, audience="api", place=place) for issuer, place in places.items()))
    Verifier(*(TrustedIssuer(issuer, audience="api", place=other) for issuer in places))


def test_one_claim_of_the_header_may_be_a_text() -> None:
    """As one audience may; `repr` is what makes it again, and leaves out what is not given."""
    place = CredentialPlace(header="X-Token", header_claims="iss")
    assert place == CredentialPlace(header="x-token", header_claims=["iss"])
    assert repr(place) == "CredentialPlace(header='x-token', header_claims=('iss',))"
