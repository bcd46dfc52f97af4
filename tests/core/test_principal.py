"""The principal: derived from verified claims, immutable to the bottom, silent about values."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from bearward.principal import Principal, same_caller
from tests.core.tokens import ISSUER

CLAIMS: dict[str, Any] = {
    "iss": "https://login.example",
    "sub": "ada",
    "aud": ["a", "b"],
    "exp": 1_800_000_000,
    "iat": 1_700_000_000.5,
    "jti": "7",
    "scope": "read write",
    "act": {"sub": "b", "chain": [{"sub": "c"}]},
}


def _made(how: str, claims: dict[str, Any]) -> Principal:
    own = copy.deepcopy(claims)
    return Principal(own, key_thumbprint="k1") if how == "public" else Principal.from_verified_claims(own, "k1")


MAKERS = pytest.mark.parametrize("how", ["public", "verified"])


@MAKERS
def test_properties_are_read_from_claims(how: str) -> None:
    """RFC 7519 section 4.1 and RFC 9068 section 2.2, by name."""
    who = _made(how, CLAIMS)
    assert (who.issuer, who.subject, who.audience, who.token_id) == ("https://login.example", "ada", ("a", "b"), "7")
    assert (who.expires_at, who.issued_at, who.key_thumbprint) == (1_800_000_000.0, 1_700_000_000.5, "k1")
    assert who.scopes == {"read", "write"}
    assert who.scopes is who.scopes
    assert who.claims["act"]["chain"][0]["sub"] == "c"


@MAKERS
def test_absent_claims_are_none_or_empty(how: str) -> None:
    """Nothing but `iss` is sure to be there."""
    who = _made(how, {"iss": "https://login.example"})
    assert (who.subject, who.audience, who.client_id, who.token_id) == (None, (), None, None)
    assert (who.expires_at, who.issued_at, who.scopes) == (float("inf"), None, frozenset())


SCOPES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "by spaces": ({"scope": "a  b "}, {"a", "b"}),
    "a list": ({"scope": ["a", "b c", 1, None]}, {"a", "b c"}),
    "scp a list": ({"scp": ["a"]}, {"a"}),
    "scp a text": ({"scp": "a b"}, {"a", "b"}),
    "scope goes before scp": ({"scope": "a", "scp": ["b"]}, {"a"}),
    "empty": ({"scope": ""}, set()),
    "a number": ({"scope": 1}, set()),
    "an object": ({"scope": {"a": 1}}, set()),
    "null": ({"scope": None}, set()),
}


@MAKERS
@pytest.mark.parametrize("name", SCOPES)
def test_scopes(name: str, how: str) -> None:
    """RFC 8693 section 4.2, and what some issuers send instead; what is none grants none."""
    claims, scopes = SCOPES[name]
    assert _made(how, {"iss": "i", **claims}).scopes == scopes


CLIENTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "client_id": ({"client_id": "c", "azp": "a"}, "c"),
    "azp": ({"azp": "a"}, "a"),
    "a number": ({"client_id": 1}, None),
    "null": ({"client_id": None, "azp": "a"}, None),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_clients(name: str) -> None:
    """`client_id` (RFC 8693), else `azp`; what is no text is none."""
    claims, client = CLIENTS[name]
    assert Principal({"iss": "i", **claims}, key_thumbprint="k").client_id == client


def test_single_audience_becomes_a_tuple() -> None:
    """RFC 7519 section 4.1.3: one text or several."""
    assert Principal({"iss": "i", "aud": "a"}, key_thumbprint="k").audience == ("a",)


@MAKERS
def test_principal_is_deeply_immutable(how: str) -> None:
    """Not its attributes, not its claims, not what is deep inside them; and not through what it was made from."""
    who = _made(how, CLAIMS)
    for change in ("issuer", "claims", "_key", "_claims", "new"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(who, change, 1)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(who, change)
    with pytest.raises(TypeError):
        who.claims["sub"] = "eve"  # type: ignore[index]
    with pytest.raises(TypeError):
        who.claims["act"]["sub"] = "eve"
    assert isinstance(who.claims["aud"], tuple)
    assert isinstance(who.claims["act"]["chain"], tuple)
    thawed = who.to_dict()
    assert thawed == CLAIMS
    thawed["act"]["chain"].append("eve")
    thawed["aud"].append("eve")
    assert who.to_dict() == CLAIMS


def test_constructor_copies_its_claims() -> None:
    """The public constructor takes a copy."""
    claims = copy.deepcopy(CLAIMS)
    who = Principal(claims, key_thumbprint="k1")
    claims["sub"] = "eve"
    claims["act"]["sub"] = "eve"
    claims["aud"].append("eve")
    assert who.to_dict() == CLAIMS


def test_equality() -> None:
    """By value: claims and key; the two ways of making one give equal ones."""
    one = Principal(CLAIMS, key_thumbprint="k1")
    assert one == Principal.from_verified_claims(copy.deepcopy(CLAIMS), "k1")
    assert hash(one) == hash(Principal.from_verified_claims(copy.deepcopy(CLAIMS), "k1"))
    assert one != Principal(CLAIMS, key_thumbprint="k2")
    assert one != Principal({**CLAIMS, "sub": "eve"}, key_thumbprint="k1")
    assert one != CLAIMS
    assert len({one, Principal(CLAIMS, key_thumbprint="k1")}) == 1


@MAKERS
def test_repr_names_claims_without_values(how: str) -> None:
    """The value of a claim never appears in a log."""
    text = repr(_made(how, CLAIMS))
    assert text == "<Principal of https://login.example: claims act, aud, exp, iat, iss, jti, scope, sub>"


@MAKERS
def test_principal_can_be_pickled_and_copied(how: str) -> None:
    """For a worker that trusts whoever sent it; a copy of what cannot change is the thing itself."""
    who = _made(how, CLAIMS)
    again = pickle.loads(pickle.dumps(who))
    assert again == who
    assert again.key_thumbprint == "k1"
    assert isinstance(again.claims["aud"], tuple)
    assert copy.copy(who) is copy.deepcopy(who) is who


SAME: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "the same": ({"sub": "ada"}, {"sub": "ada"}, True),
    "the same client": ({"sub": "ada", "client_id": "c"}, {"sub": "ada", "client_id": "c", "scope": "a"}, True),
    "the same azp": ({"sub": "ada", "azp": "c"}, {"sub": "ada", "azp": "c", "jti": "2"}, True),
    "another subject": ({"sub": "ada"}, {"sub": "eve"}, False),
    "another issuer": ({"sub": "ada"}, {"sub": "ada", "iss": "j"}, False),
    "another client": ({"sub": "ada", "client_id": "c"}, {"sub": "ada", "client_id": "d"}, False),
    "another azp": ({"sub": "ada", "azp": "c"}, {"sub": "ada", "azp": "d"}, False),
    "another azp beside one client": (
        {"sub": "ada", "client_id": "c", "azp": "c"},
        {"sub": "ada", "client_id": "c", "azp": "d"},
        False,
    ),
    "a client and none": ({"sub": "ada", "client_id": "c"}, {"sub": "ada"}, False),
    "no subject": ({}, {}, False),
    "no subject, the same client": ({"client_id": "c"}, {"client_id": "c"}, False),
    "an empty subject": ({"sub": ""}, {"sub": ""}, False),
    "a null subject": ({"sub": None}, {"sub": None}, False),
    "a malformed client": ({"sub": "ada", "client_id": True}, {"sub": "ada", "client_id": 1}, False),
}


@MAKERS
@pytest.mark.parametrize("name", SAME)
def test_same_caller_compares_issuer_subject_and_client(name: str, how: str) -> None:
    """Issuer, subject and client agree; an absent or empty subject is nobody's. It does not matter which came first."""
    one, other, same = SAME[name]
    before, after = (_made(how, {"iss": "i", **claims}) for claims in (one, other))
    assert same_caller(before, after) is same_caller(after, before) is same


def test_principal_repr_quotes_unusual_claim_names() -> None:
    """Whoever names claims writes no lines of our log."""
    principal = Principal.from_verified_claims({"iss": ISSUER, "a\nb": 1, "plain": 2}, "k")
    assert repr(principal) == f"<Principal of {ISSUER}: claims 'a\\nb', iss, plain>"
