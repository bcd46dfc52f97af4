"""Claims as the application's own type: checked with the token, made once, and silent about values."""

from __future__ import annotations

import copy
import json
import pickle
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from bearward import AuthError, ConfigurationError, Principal, TrustedIssuer, Verifier
from bearward.explanation import explain
from bearward.testing import SigningKey, sign_segments
from tests.conftest import Run

KEY = SigningKey.generate("ES256", kid="k")
JWKS = {"keys": [KEY.public_jwk()]}
ISSUER, AUDIENCE = "https://login.example", "https://orders.example"


@dataclass(frozen=True)
class Claims:
    """What this application reads of a token."""

    sub: str
    roles: tuple[str, ...]
    level: int = 0


class Organization(msgspec.Struct, frozen=True, rename={"identifier": "id"}):
    """A claim that is an object."""

    identifier: str


class StructClaims(msgspec.Struct, frozen=True):
    """The same as a Struct."""

    sub: str
    org: Organization | None = None


def _token(**claims: Any) -> str:
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 60, **claims}
    return sign_segments(json.dumps({"alg": "ES256", "kid": "k"}).encode(), json.dumps(payload).encode(), KEY)


def _issuer(kind: type[Any]) -> TrustedIssuer:
    return TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=JWKS, claims_type=kind)


def test_claims_become_an_object_once() -> None:
    """It is kept with the principal, and so with the cached token."""
    verifier, token = Verifier(_issuer(Claims)), _token(sub="ada", roles=["editor"])
    principal = verifier.verify_now(token)
    made = principal.claims_as(Claims)
    assert made == Claims("ada", ("editor",))
    assert verifier.verify_now(token).claims_as(Claims) is made
    assert principal.claims_as(StructClaims) == StructClaims("ada")


def test_object_that_can_be_changed_is_not_shared() -> None:
    """Another request that brings the same token must not find what a handler did to it."""

    @dataclass
    class Mutable:
        sub: str

    class MutableStruct(msgspec.Struct):
        sub: str

    principal = Principal({"iss": ISSUER, "sub": "ada"}, key_thumbprint="k")
    for kind in (Mutable, MutableStruct):
        assert principal.claims_as(kind) is not principal.claims_as(kind)


def test_what_a_handler_does_to_an_object_reaches_no_other_request() -> None:
    """Nor the claims themselves, whatever the type holds: lists, objects, or anything."""

    @dataclass(frozen=True)
    class Loose:
        roles: list[str]
        access: dict[str, Any]
        other: Any

    class LooseStruct(msgspec.Struct, frozen=True):
        roles: list[str]
        access: dict[str, Any]
        other: Any

    given = {"roles": ["reader"], "access": {"api": {"roles": ["reader"]}}, "other": ["reader"]}
    verifier, token = Verifier(_issuer(Loose)), _token(sub="ada", **given)
    for kind in (Loose, LooseStruct):
        made: Any = verifier.verify_now(token).claims_as(kind)
        made.roles.append("admin")
        made.access["api"]["roles"].append("admin")
        made.other.append("admin")
        principal = verifier.verify_now(token)
        assert "admin" not in repr(principal.claims_as(kind))
        assert {name: principal.to_dict()[name] for name in given} == given


def test_bug_in_the_type_of_the_claims_is_a_refusal() -> None:
    """Of whatever sort; its text may hold a claim, and is not kept."""

    @dataclass(frozen=True)
    class Buggy:
        sub: str

        def __post_init__(self) -> None:
            raise KeyError(self.sub)

    with pytest.raises(AuthError) as caught:
        Verifier(_issuer(Buggy)).verify_now(_token(sub="s3cret"))
    assert caught.value.code == "claim_malformed"
    assert caught.value.__cause__ is None


REFUSED: dict[str, tuple[type[Any], dict[str, Any], str, str | None]] = {
    "a field that is missing": (Claims, {"sub": "ada"}, "claim_missing", "roles"),
    "another type": (Claims, {"sub": "ada", "roles": "editor"}, "claim_malformed", "roles"),
    "another type within": (Claims, {"sub": "ada", "roles": ["a", 1]}, "claim_malformed", "roles"),
    "a number as text": (Claims, {"sub": "ada", "roles": [], "level": "1"}, "claim_malformed", "level"),
    "a field missing within": (StructClaims, {"sub": "ada", "org": {}}, "claim_malformed", "org"),
    "an object of another type": (StructClaims, {"sub": "ada", "org": "x"}, "claim_malformed", "org"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_claims_that_do_not_fit_are_refused(name: str) -> None:
    """By the names of the type; strictly, so that text is no number."""
    kind, claims, code, claim = REFUSED[name]
    with pytest.raises(AuthError) as caught:
        Verifier(_issuer(kind)).verify_now(_token(**claims))
    assert (caught.value.code, caught.value.claim) == (code, claim)


def test_names_within_a_token_are_not_repeated() -> None:
    """A field is named only if the type has it: keys of an object may be anybody's text."""

    @dataclass
    class Free:
        tags: dict[str, int]

    with pytest.raises(AuthError) as caught:
        Principal({"iss": ISSUER, "tags": {"secret-key": "x"}}, key_thumbprint="k").claims_as(Free)
    assert caught.value.claim == "tags"
    assert "secret" not in f"{caught.value!s}{caught.value!r}"


@pytest.mark.parametrize("kind", [dict, "Claims", int, 7, type("Plain", (), {})], ids=str)
def test_type_that_claims_cannot_become_is_a_configuration_error(kind: Any) -> None:
    """A dataclass or a Struct, and nothing else."""
    with pytest.raises(ConfigurationError) as caught:
        _issuer(kind)
    assert caught.value.setting == "claims_type"


def test_issuer_with_a_claims_type_can_be_sent_to_a_worker() -> None:
    """The type goes by its name, as pickle has it."""
    issuer = _issuer(Claims)
    for copied in (copy.copy(issuer), copy.deepcopy(issuer), pickle.loads(pickle.dumps(issuer))):
        assert copied == issuer
        assert hash(copied) == hash(issuer)


def test_claims_type_is_checked_again_for_remembered_tokens(run: Run) -> None:
    """As all that a policy asks for: it is part of what `recheck` judges."""

    async def ask() -> None:
        async with Verifier(_issuer(Claims)) as verifier:
            principal = await verifier.verify(_token(sub="ada", roles=[]))
            verifier.check_still_valid(principal)

    run(ask())


def test_explanation_shows_the_type_of_the_claims() -> None:
    """As every check that `verify_token` makes."""
    explanation = explain(_token(sub="ada"), [_issuer(Claims)], keys=lambda issuer: issuer.static_keys, now=time.time())
    wrong = explanation.first_wrong
    assert wrong is not None
    assert (explanation.code, wrong.name, wrong.claim) == ("claim_missing", "type of the claims", "roles")
