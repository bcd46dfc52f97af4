"""Requirements that read the same for every issuer."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import (
    AuthError,
    ConfigurationError,
    Principal,
    Requirement,
    authorize,
    issuer_is,
    not_delegated,
    requires,
    right,
    sender_constrained,
    tenant_is,
)
from bearward.access_toml import rule_from_toml, rules_from_toml
from bearward.claim_names import ClaimNames, rights_from

LOGIN, OTHER = "https://login.example", "https://other.example"


def _caller(rights: Any = (), **claims: Any) -> Principal:
    names = ClaimNames(rights=rights_from(rights)) if rights else None
    return Principal({"iss": LOGIN, **claims}, key_thumbprint="k", claim_names=names)


MET: list[tuple[Requirement, Principal]] = [
    (right("notes:read"), _caller(scope="openid notes:read")),
    (right("notes:read"), _caller(scp=["notes:read"])),
    (right("notes:read", "notes:write"), _caller("permissions", permissions=["notes:read", "notes:write", "x"])),
    (right("notes:read"), _caller([("realm_access", "roles")], realm_access={"roles": ["notes:read"]})),
    (right("reader"), _caller("roles", roles={"reader": {}})),
    (issuer_is(LOGIN), _caller()),
    (issuer_is(OTHER, LOGIN), _caller()),
    (issuer_is(LOGIN) & right("a"), _caller(scope="a")),
    (issuer_is(OTHER) | right("a"), _caller(scope="a")),
]


@pytest.mark.parametrize(("requirement", "caller"), MET, ids=range(len(MET)))
def test_caller_who_has_it_passes(requirement: Requirement, caller: Principal) -> None:
    """Wherever the caller's issuer puts it."""
    authorize(caller, requirement, 0.0)


UNMET: list[tuple[Requirement, Principal, str | None]] = [
    (right("notes:read"), _caller(), None),
    (right("notes:read"), _caller(scope="notes:reader"), None),
    (right("notes:read", "notes:write"), _caller(scope="notes:read"), None),
    (right("notes:read"), _caller("permissions", scope="notes:read"), None),
    (issuer_is(OTHER), _caller(), "iss"),
    (issuer_is(f"{LOGIN}/"), _caller(), "iss"),
]


@pytest.mark.parametrize(("requirement", "caller", "claim"), UNMET, ids=range(len(UNMET)))
def test_caller_who_lacks_it_is_refused(requirement: Requirement, caller: Principal, claim: str | None) -> None:
    """All rights are asked for, and issuers are compared exactly; the refusal tells of no right."""
    with pytest.raises(AuthError) as caught:
        authorize(caller, requirement, 0.0)
    assert (caught.value.code, caught.value.claim) == ("claim_insufficient", claim)


WRONG: list[tuple[Any, tuple[Any, ...], str]] = [
    (right, (), "right: must name at least one right, each a non-empty string"),
    (right, ("",), "right: must name at least one right, each a non-empty string"),
    (right, (1,), "right: must name at least one right, each a non-empty string"),
    (issuer_is, (), "issuer_is: must name at least one issuer, each the exact `iss`"),
    (issuer_is, ([LOGIN],), "issuer_is: must name at least one issuer, each the exact `iss`"),
]


@pytest.mark.parametrize(("make", "names", "message"), WRONG, ids=range(len(WRONG)))
def test_requirement_of_nothing_is_a_configuration_error(make: Any, names: tuple[Any, ...], message: str) -> None:
    """It names the requirement."""
    with pytest.raises(ConfigurationError) as caught:
        make(*names)
    assert str(caught.value) == message


def test_requirements_compare_by_value_and_stand_in_toml() -> None:
    """The same in Python and in a table of rules."""
    rule = rule_from_toml("rules['x']", {"rights": ["a", "b"], "issuers": [LOGIN]})
    assert rule.requirement == right("a", "b") & issuer_is(LOGIN)
    assert hash(right("a", "a")) == hash(right("a"))
    assert (repr(right("a")), repr(issuer_is(LOGIN))) == ("right('a')", f"issuer_is('{LOGIN}')")


def test_flags_of_a_rule_stand_in_toml() -> None:
    """They are true, or left out: nothing else could be meant."""
    rule = rule_from_toml("rules['x']", {"not_delegated": True, "sender_constrained": True})
    assert rule.requirement == not_delegated() & sender_constrained()
    for value in (False, "true", 1, None):
        with pytest.raises(ConfigurationError, match=r"rules\['x'\].not_delegated: must be true, or left out"):
            rule_from_toml("rules['x']", {"not_delegated": value})


BOUND: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"tid": "blue"}, {"tenant": "blue"}, True),
    ({"tid": "7"}, {"tenant": 7}, True),
    ({"tid": "blue"}, {"tenant": "green"}, False),
    ({"tid": "blue"}, {"tenant": "Blue"}, False),
    ({"tid": ["blue"]}, {"tenant": "blue"}, False),
    ({"tid": 7}, {"tenant": 7}, False),
    ({}, {"tenant": "None"}, False),
    ({"tid": ""}, {"tenant": ""}, False),
    ({"tid": "blue"}, {"other": "blue"}, False),
    ({"tid": "blue"}, {}, False),
]


@pytest.mark.parametrize(("claims", "parameters", "passes"), BOUND, ids=range(len(BOUND)))
def test_tenant_is_that_of_the_path(claims: dict[str, Any], parameters: dict[str, Any], passes: bool) -> None:
    """Compared exactly, as text; where the path names no tenant nobody passes, in combinations too."""
    plain, alone = requires(tenant_is("tenant", claim="tid")), _caller(scope="a", **claims)
    both, either = (
        requires(tenant_is("tenant", claim="tid") & right("a")),
        tenant_is("tenant", claim="tid") | right("b"),
    )
    for rule in (plain, both, requires(either)):
        assert (rule.refusal(alone, 0.0, parameters) is None) is passes
        assert rule.refusal(alone, 0.0) is not None


def test_tenant_may_be_below_a_path_of_claims() -> None:
    """A tuple is the path to the claim; the refusal names it."""
    rule = requires(tenant_is("tenant", claim=("org", "id")))
    assert rule.refusal(_caller(org={"id": "blue"}), 0.0, {"tenant": "blue"}) is None
    refused = rule.refusal(_caller(org={"id": "blue"}), 0.0, {"tenant": "green"})
    assert refused is not None
    assert (refused.code, refused.claim) == ("claim_insufficient", "org.id")
    with pytest.raises(ConfigurationError):
        tenant_is("", claim="tid")


def test_every_rule_of_a_table_that_is_wrong_is_named() -> None:
    """All at once, with the nearest word or part."""
    with pytest.raises(ConfigurationError) as caught:
        rules_from_toml({"a": "publik", "b": {"scope": ["x"]}, "c": {"scopes": ["x"]}, "d": {"zzzz": 1}})
    assert str(caught.value).splitlines() == [
        "rules['a']: must be public, optional, authenticated, deny or requires(...); did you mean 'public'?",
        "rules['b']: has no 'scope'; did you mean 'scopes'?",
        (
            "rules['d']: has no 'zzzz'; it may have scopes, any_scopes, rights, issuers, actors, claims, "
            "authorization_details, acr_values, max_age, not_delegated, sender_constrained"
        ),
    ]
