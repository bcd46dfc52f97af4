"""Which claims say who calls and with which rights: every form in which issuers send them."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import ConfigurationError
from bearward.claim_names import ClaimNames, RightsFrom, rights_from

ZITADEL = "urn:zitadel:iam:org:project:roles"

HELD: list[tuple[Any, dict[str, Any], set[str]]] = [
    ("scope", {"scope": "notes:read  notes:write"}, {"notes:read", "notes:write"}),
    ("scp", {"scp": ["notes:read", "openid"]}, {"notes:read", "openid"}),
    ("permissions", {"permissions": ("read:notes",)}, {"read:notes"}),
    (ZITADEL, {ZITADEL: {"reader": {"2406": "notes.example"}, "admin": {}}}, {"reader", "admin"}),
    ([("realm_access", "roles")], {"realm_access": {"roles": ["reader"]}}, {"reader"}),
    (
        RightsFrom(("resource_access", "orders.api", "roles")),
        {"resource_access": {"orders.api": {"roles": ["r"]}, "orders": {"api": {"roles": ["another client's"]}}}},
        {"r"},
    ),
    (RightsFrom("groups", prefix="group:"), {"groups": ["readers"]}, {"group:readers"}),
    (RightsFrom("ref_protected", flag="protected"), {"ref_protected": "true"}, {"protected"}),
    (RightsFrom("ref_protected", flag="protected"), {"ref_protected": True}, {"protected"}),
    (["scope", ("realm_access", "roles")], {"scope": "a", "realm_access": {"roles": ["b"]}}, {"a", "b"}),
    ([{"claim": "groups", "prefix": "g:"}], {"groups": ["a"]}, {"g:a"}),
    # what grants nothing
    ("scope", {}, set()),
    ("scope", {"scope": ""}, set()),
    ("scope", {"scope": None}, set()),
    ("scope", {"scope": 1}, set()),
    ("scope", {"scope": True}, set()),
    ("scp", {"scp": ["", 1, None, ["x"], {"y": 1}]}, set()),
    ("permissions", {"permissions": "a\tb"}, {"a\tb"}),
    ("a.b", {"a": {"b": ["x"]}}, set()),
    ([("a", "b")], {"a.b": ["x"]}, set()),
    ([("a", "b")], {"a": ["b"]}, set()),
    ([("a", "b")], {"a": "b"}, set()),
    (RightsFrom("ref_protected", flag="protected"), {"ref_protected": "false"}, set()),
    (RightsFrom("ref_protected", flag="protected"), {"ref_protected": 1}, set()),
    (RightsFrom("ref_protected", flag="protected"), {"ref_protected": "TRUE"}, set()),
    (RightsFrom("ref_protected", flag="protected"), {}, set()),
]


@pytest.mark.parametrize(("rights", "claims", "held"), HELD, ids=range(len(HELD)))
def test_rights_are_one_set_whatever_their_form(rights: Any, claims: dict[str, Any], held: set[str]) -> None:
    """A list, text with spaces, keys of an object, a path, a prefix, a flag; what is of no such form grants nothing."""
    assert ClaimNames(rights=rights_from(rights)).rights_of(claims) == held


WRONG: list[tuple[Any, str]] = [
    (1, "rights: must be names of claims, paths as tuples, or RightsFrom"),
    ([1], "rights: must be names of claims, paths as tuples, or RightsFrom"),
    ("", "rights: must name claims: a name, or the path to it as a tuple of names"),
    ([()], "rights: must name claims: a name, or the path to it as a tuple of names"),
    ([("a", 1)], "rights: must name claims: a name, or the path to it as a tuple of names"),
    ([{"claim": "a", "prefixes": "b"}], "rights: must be a table of claim, and prefix or flag"),
    ([{"prefix": "b"}], "rights: must be a table of claim, and prefix or flag"),
    ([{"claim": "a", "prefix": 1}], "rights.prefix: must be a string"),
    (
        [{"claim": "a", "prefix": "b", "flag": "c"}],
        "rights.flag: must be the right that a true claim grants, without a prefix",
    ),
]


@pytest.mark.parametrize(("rights", "message"), WRONG, ids=range(len(WRONG)))
def test_rights_of_no_form_are_a_configuration_error(rights: Any, message: str) -> None:
    """The message says what the setting must be."""
    with pytest.raises(ConfigurationError) as caught:
        rights_from(rights)
    assert str(caught.value) == message


SUBJECTS: list[tuple[dict[str, Any], str | None]] = [
    ({"sub": "ada", "common_name": "x"}, "ada"),
    ({"sub": "", "common_name": "service.access"}, "service.access"),
    ({"common_name": "service.access"}, "service.access"),
    ({"sub": "", "common_name": ""}, None),
    ({"sub": 1, "common_name": ["x"]}, None),
    ({}, None),
]


@pytest.mark.parametrize(("claims", "subject"), SUBJECTS, ids=range(len(SUBJECTS)))
def test_subject_is_the_first_claim_that_names_somebody(claims: dict[str, Any], subject: str | None) -> None:
    """An empty string, and what is no string, names nobody."""
    assert ClaimNames(subject=("sub", "common_name")).subject_of(claims) == subject


def test_client_is_the_claim_that_was_named() -> None:
    """Without a name it is `client_id`, else `azp`."""
    claims = {"client_id": "a", "azp": "b", "appid": "c", "cid": 1}
    names = [ClaimNames(), ClaimNames(client="appid"), ClaimNames(client="cid"), ClaimNames(client="absent")]
    assert [name.client_of(claims) for name in names] == ["a", "c", None, None]
