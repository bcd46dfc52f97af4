"""Tokens in the form of a proxy: which spellings are one token, and where a claim is taken from."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError, CredentialPlace, TrustedIssuer
from bearward.jose.compact import parse_compact
from bearward.placed_form import parse_placed
from bearward.testing import SigningKey, json_octets, sign_segments

KEY = SigningKey.generate("ES256")
PLACE = CredentialPlace(header="x-token", padded=True, header_claims=("iss", "exp"))
HEADER = {"alg": "ES256", "kid": "k1", "iss": "https://login.example", "exp": 4_102_444_800}


def segments(header: dict[str, Any], payload: dict[str, Any]) -> list[str]:
    """Of a token, each with its padding."""
    octets = [json_octets(header), json_octets(payload), bytes(64)]
    return [urlsafe_b64encode(one).decode() for one in octets]


def refusal(token: str, place: CredentialPlace | None = PLACE) -> str:
    """Why the token is no token there."""
    with pytest.raises(AuthError) as caught:
        parse_placed(token, place)
    return caught.value.code


def without_padding_but_the_signature(written: list[str]) -> list[str]:
    """Header and payload bare."""
    return [written[0].rstrip("="), written[1].rstrip("="), written[2]]


PAYLOADS = [{"sub": "a" * length} for length in range(3)]
"""Each of another length modulo three, so with two, one and no characters of padding in some order."""


@pytest.mark.parametrize("payload", PAYLOADS)
def test_padding_is_there_whole_or_not_at_all(payload: dict[str, Any]) -> None:
    """The signing input is the text as it was sent; a part of the padding, or more of it, is no token.

    The signature, which nothing signs, always has its padding.
    """
    written = segments(HEADER, payload)
    assert refusal(".".join([*written[:2], written[2].rstrip("=")])) == "token_malformed"
    for sent in (written, without_padding_but_the_signature(written)):
        token = parse_placed(".".join(sent), PLACE)
        assert token.signing_input == f"{sent[0]}.{sent[1]}".encode()
        assert token.claims["sub"] == payload["sub"]
    for number, one in enumerate(written):
        wrong = {one.rstrip("=") + "=" * count for count in range(1, 5)} - {one}
        for text in wrong:
            sent = [*written[:number], text, *written[number + 1 :]]
            assert refusal(".".join(sent)) == "token_malformed"


def test_padding_and_claims_of_the_header_are_two_things() -> None:
    """A place may have either alone."""
    padded = CredentialPlace(header="x-token", padded=True)
    assert parse_placed(".".join(segments(HEADER, PAYLOADS[0])), padded).claims == PAYLOADS[0]
    named = CredentialPlace(header="x-token", header_claims=("iss",))
    plain = sign_segments(json_octets(HEADER), json_octets(PAYLOADS[0]), KEY)
    assert parse_placed(plain, named).claims == {**PAYLOADS[0], "iss": HEADER["iss"]}


def test_segment_that_needs_no_padding_is_whole() -> None:
    """Whatever character it ends with: here an X."""
    signature = bytes(95) + b"\x17"
    token = ".".join([*segments(HEADER, PAYLOADS[0])[:2], urlsafe_b64encode(signature).decode()])
    assert token.endswith("X")
    assert parse_placed(token, PLACE).signature == signature


WRONG = {
    "padding within": lambda token: token.replace(".", "=.", 1) if "=." not in token else token.replace("=.", "==.", 1),
    "in front": lambda token: "=" + token,
    "unused bits that are not zero": lambda token: token[:-3] + "B==",
    "the other alphabet": lambda token: token[:-6] + "+" + token[-5:],
    "nothing but padding": lambda _: "====.====.====",
    "four segments": lambda token: token + ".",
    "five segments": lambda token: token + "..",
    "white space": lambda token: token + "\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_text_that_is_no_canonical_base64url_is_refused(name: str) -> None:
    """As without padding."""
    token = ".".join(segments(HEADER, PAYLOADS[0]))
    assert refusal(WRONG[name](token)) in ("token_malformed", "token_encrypted")


def test_padding_counts_in_that_place_alone() -> None:
    """Everywhere else such a token is malformed, and a plain one is what it always was."""
    padded = ".".join(segments(HEADER, PAYLOADS[0]))
    plain = sign_segments(json_octets(HEADER), json_octets(PAYLOADS[0]), KEY)
    for place in (None, CredentialPlace(header="x-token"), CredentialPlace(cookie="token")):
        assert refusal(padded, place) == "token_malformed"
        assert parse_placed(plain, place) == parse_compact(plain)


def test_claim_of_the_header_is_taken_from_there_alone() -> None:
    """The payload may repeat it, and say nothing else in its name (RFC 7519 section 5.3)."""
    payload = {"iss": HEADER["iss"], "exp": HEADER["exp"], "sub": "ada"}
    parsed = parse_placed(".".join(segments(HEADER, payload)), PLACE)
    assert parsed.claims == {"iss": HEADER["iss"], "exp": HEADER["exp"], "sub": "ada"}
    for change in (
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": True},
        {"exp": str(HEADER["exp"])},
        {"iss": None},
    ):
        assert refusal(".".join(segments(HEADER, {**payload, **change}))) == "payload_malformed"
    without = {name: value for name, value in HEADER.items() if name != "iss"}
    assert parse_placed(".".join(segments(without, payload)), PLACE).claims == {"exp": HEADER["exp"], "sub": "ada"}


@given(st.text(alphabet="eyJhbGciOiJFUzI1NiJ9.=AQgw", max_size=120))
def test_any_text_is_a_token_or_an_auth_error(text: str) -> None:
    """Nothing else ever comes out."""
    try:
        parsed = parse_placed(text, PLACE)
    except AuthError:
        return
    assert parsed.signing_input == text.rpartition(".")[0].encode()


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("place.padded", {"padded": "yes"}),
        ("place.header_claims", {"header_claims": ["alg"]}),
        ("place.header_claims", {"header_claims": ["kid"]}),
        ("place.header_claims", {"header_claims": [""]}),
        ("place.header_claims", {"header_claims": [7]}),
    ],
)
def test_form_that_means_nothing_is_refused(setting: str, settings: dict[str, Any]) -> None:
    """When the place is made."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialPlace(header="x-token", **settings)
    assert caught.value.setting == setting


def test_what_a_proxy_says_of_itself_has_to_be_judged() -> None:
    """Others have keys at the same address: a policy that does not look at the signer is refused."""
    place = CredentialPlace(header="x-token", header_claims=["iss", "exp", "signer"])
    given: dict[str, Any] = {"audience": "a", "jwks_uri": "https://login.example/jwks", "place": place}
    with pytest.raises(ConfigurationError, match=r"place.header_claims: must have signer in expected_claims"):
        TrustedIssuer("https://login.example", **given)
    TrustedIssuer("https://login.example", expected_claims={"signer": "s"}, **given)
