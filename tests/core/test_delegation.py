"""Delegation (RFC 8693 section 4.1) and authorization details (RFC 9396): read strictly, and required by rules."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import (
    Actor,
    AuthError,
    ConfigurationError,
    Principal,
    Requirement,
    actor_is,
    authorization_detail,
    authorize,
    not_delegated,
    scope,
)
from bearward.access_toml import rule_from_toml


def _caller(**claims: Any) -> Principal:
    return Principal({"iss": "https://login.example", "sub": "ada", **claims}, key_thumbprint="k")


DELEGATED = _caller(act={"sub": "orders", "iss": "https://mesh.example", "act": {"sub": "gateway", "client_id": "web"}})
PAYMENT = {"type": "payment", "actions": ["initiate", "status"], "currency": "EUR", "limit": 100, "test": True}
AGREED = _caller(authorization_details=[{"type": "account", "actions": ["read"]}, PAYMENT])


def test_current_actor_comes_first() -> None:
    """RFC 8693 section 4.1: the outermost `act` is the party that acts now; those within acted before."""
    assert DELEGATED.actors == (
        Actor("orders", "https://mesh.example", None),
        Actor("gateway", None, "web"),
    )
    assert _caller().actors == ()


MALFORMED: list[Any] = [
    None,
    "orders",
    [],
    [{"sub": "orders"}],
    {"sub": 7},
    {"sub": "orders", "iss": []},
    {"sub": "orders", "act": None},
    {"sub": "orders", "act": "gateway"},
    {"sub": "orders", "act": {"client_id": {}}},
]


@pytest.mark.parametrize("act", MALFORMED, ids=repr)
def test_malformed_act_is_refused_and_never_read_as_none(act: Any) -> None:
    """A chain that cannot be read is no sign that the caller acts itself."""
    caller = _caller(act=act)
    with pytest.raises(AuthError) as caught:
        _ = caller.actors
    assert (caught.value.code, caught.value.claim) == ("claim_malformed", "act")
    for requirement in (actor_is("orders"), not_delegated()):
        with pytest.raises(AuthError):
            authorize(caller, requirement, 0.0)


def test_length_of_the_chain_is_bounded() -> None:
    """Sixteen actors are read, seventeen are malformed."""
    chain: dict[str, Any] = {"sub": "a"}
    for _ in range(15):
        chain = {"sub": "a", "act": chain}
    assert len(_caller(act=chain).actors) == 16
    with pytest.raises(AuthError):
        _ = _caller(act={"sub": "a", "act": chain}).actors


@pytest.mark.parametrize("details", [None, {}, "payment", [1], [{}], [{"type": 1}], [PAYMENT, None]], ids=repr)
def test_malformed_authorization_details_are_refused(details: Any) -> None:
    """RFC 9396 section 2: an array of objects, each with a `type`."""
    caller = _caller(authorization_details=details)
    with pytest.raises(AuthError) as caught:
        authorize(caller, authorization_detail("payment"), 0.0)
    assert (caught.value.code, caught.value.claim) == ("claim_malformed", "authorization_details")


MET: list[tuple[Requirement, Principal]] = [
    (actor_is("orders"), DELEGATED),
    (actor_is("other", "orders"), DELEGATED),
    (actor_is("orders", issuer="https://mesh.example"), DELEGATED),
    (actor_is("orders") | not_delegated(), _caller()),
    (not_delegated(), _caller()),
    (authorization_detail("payment"), AGREED),
    (authorization_detail("payment", actions="initiate"), AGREED),
    (authorization_detail("payment", actions=("status", "initiate"), currency="EUR"), AGREED),
    (authorization_detail("payment", limit=100, test=True), AGREED),
    (authorization_detail("account", actions="read") & authorization_detail("payment"), AGREED),
]
UNMET: list[tuple[Requirement, Principal, str]] = [
    (actor_is("orders"), _caller(), "act"),
    (actor_is("gateway"), DELEGATED, "act"),
    (actor_is("ada"), DELEGATED, "act"),
    (actor_is("orders", issuer="https://login.example"), DELEGATED, "act"),
    (actor_is("gateway", issuer="https://mesh.example"), _caller(act={"sub": "gateway"}), "act"),
    (not_delegated(), DELEGATED, "act"),
    (authorization_detail("payment"), _caller(), "authorization_details"),
    (authorization_detail("Payment"), AGREED, "authorization_details"),
    (authorization_detail("account", actions="initiate"), AGREED, "authorization_details"),
    (authorization_detail("payment", actions=("initiate", "cancel")), AGREED, "authorization_details"),
    (authorization_detail("payment", locations="https://api.example"), AGREED, "authorization_details"),
    (authorization_detail("payment", test=1), AGREED, "authorization_details"),
    (authorization_detail("payment", limit=True), AGREED, "authorization_details"),
]


@pytest.mark.parametrize(("requirement", "caller"), MET, ids=map(repr, range(len(MET))))
def test_delegation_that_is_required_passes(requirement: Requirement, caller: Principal) -> None:
    """By the current actor alone; details by one object that has all that is asked for."""
    authorize(caller, requirement, 0.0)


@pytest.mark.parametrize(("requirement", "caller", "claim"), UNMET, ids=map(repr, range(len(UNMET))))
def test_delegation_that_is_lacking_is_refused(requirement: Requirement, caller: Principal, claim: str) -> None:
    """The refusal names the claim, and none of its values."""
    with pytest.raises(AuthError) as caught:
        authorize(caller, requirement, 0.0)
    assert (caught.value.code, caught.value.claim) == ("claim_insufficient", claim)


WRONG: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (actor_is, (), {}),
    (actor_is, ("",), {}),
    (actor_is, ("a",), {"issuer": ""}),
    (authorization_detail, ("",), {}),
    (authorization_detail, ("payment",), {"actions": ()}),
    (authorization_detail, ("payment",), {"actions": (None,)}),
]


@pytest.mark.parametrize(("make", "names", "members"), WRONG, ids=map(repr, range(len(WRONG))))
def test_requirement_of_nothing_is_a_configuration_error(
    make: Any, names: tuple[Any, ...], members: dict[str, Any]
) -> None:
    """It would let everybody in, or nobody."""
    with pytest.raises(ConfigurationError):
        make(*names, **members)


REPRS = [
    actor_is("orders", issuer="https://mesh.example"),
    not_delegated(),
    authorization_detail("payment", actions=("initiate", "status"), limit=100),
]


@pytest.mark.parametrize("requirement", REPRS, ids=repr)
def test_delegation_requirement_repr_is_python(requirement: Requirement) -> None:
    """Evaluated, it is the same requirement again."""
    names = {"actor_is": actor_is, "not_delegated": not_delegated, "authorization_detail": authorization_detail}
    assert eval(repr(requirement), names) == requirement
    assert hash(requirement) == hash(eval(repr(requirement), names))


def test_delegation_stands_in_toml() -> None:
    """As tables of rules say it."""
    rule = rule_from_toml(
        "rules['x']",
        {
            "scopes": ["pay"],
            "actors": ["orders"],
            "authorization_details": [{"type": "payment", "actions": ["status"]}],
        },
    )
    assert rule.requirement == scope("pay") & actor_is("orders") & authorization_detail("payment", actions=("status",))


@pytest.mark.parametrize("details", ["payment", [{"actions": ["a"]}], [{"type": ""}], [{"type": "a", "b": {}}], [1]])
def test_invalid_authorization_details_in_toml_are_named(details: Any) -> None:
    """The error says where the rule stands."""
    with pytest.raises(ConfigurationError) as caught:
        rule_from_toml("rules['x']", {"authorization_details": details})
    assert caught.value.setting == "rules['x'].authorization_details"
