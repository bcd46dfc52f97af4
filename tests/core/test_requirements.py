"""Requirements: who meets them, what their refusal names, and which refuse to be built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bearward.errors import AuthError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.requirements import Requirement, authorize
from bearward.sender import SenderProof
from bearward.token_requirements import (
    any_scope,
    claim,
    recent_authentication,
    scope,
    sender_constrained,
)

NOW = 1_800_000_000.0


def _principal(**claims: Any) -> Principal:
    return Principal({"iss": "https://login.example", **claims}, key_thumbprint="k")


def _unmet(requirement: Requirement, principal: Principal, now: float = NOW) -> AuthError | None:
    try:
        authorize(principal, requirement, now)
    except AuthError as refused:
        return refused
    return None


READ, WRITE, ANY = scope("read"), scope("read", "write"), any_scope("a", "b")
ROLE = claim("realm_access.roles", "admin", "owner")
SCOPES, CLAIMS, STEP_UP = "scope_insufficient", "claim_insufficient", "authentication_insufficient"

KUBERNETES = {"kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "cart"}}}
CLIENT = {"resource_access": {"com.example.api": {"roles": ["reader"]}}}

ROWS: dict[str, tuple[Requirement, dict[str, Any], str | None]] = {
    "the scope": (READ, {"scope": "read"}, None),
    "among others": (READ, {"scope": "x read y"}, None),
    "as scp": (READ, {"scp": ["read"]}, None),
    "no scope": (READ, {}, SCOPES),
    "a longer scope": (READ, {"scope": "reader"}, SCOPES),
    "in capitals": (READ, {"scope": "READ"}, SCOPES),
    "scope null": (READ, {"scope": None}, SCOPES),
    "by another separator": (READ, {"scope": "read,write"}, SCOPES),
    "by a tab": (READ, {"scope": "x\tread"}, SCOPES),
    "all scopes": (WRITE, {"scope": "write read"}, None),
    "one of all": (WRITE, {"scope": "write"}, SCOPES),
    "one of any": (ANY, {"scope": "b"}, None),
    "none of any": (ANY, {"scope": "c"}, SCOPES),
    "a role": (ROLE, {"realm_access": {"roles": ["x", "owner"]}}, None),
    "no such role": (ROLE, {"realm_access": {"roles": ["x"]}}, CLAIMS),
    "no roles": (ROLE, {"realm_access": {}}, CLAIMS),
    "roles no list": (ROLE, {"realm_access": {"roles": "admin"}}, None),
    "part of a role": (ROLE, {"realm_access": {"roles": "administrator"}}, CLAIMS),
    "a path through a text": (ROLE, {"realm_access": "roles"}, CLAIMS),
    "a path through a list": (ROLE, {"realm_access": [{"roles": ["admin"]}]}, CLAIMS),
    "a name with dots": (claim("https://a.example/roles", "x"), {"https://a.example/roles": ["x"]}, None),
    "the whole name goes first": (claim("a.b", 1), {"a.b": 1, "a": {"b": 2}}, None),
    "below a name with dots": (claim("kubernetes.io.namespace", "shop"), KUBERNETES, None),
    "deeper below it": (claim("kubernetes.io.serviceaccount.name", "cart"), KUBERNETES, None),
    "another value there": (claim("kubernetes.io.namespace", "bank"), KUBERNETES, CLAIMS),
    "names with dots in the middle": (claim("resource_access.com.example.api.roles", "reader"), CLIENT, None),
    "longer names before shorter ones": (claim("a.b.c", 1), {"a.b": {"c": 1}, "a": {"b": {"c": 2}}}, None),
    "shorter names where longer lead nowhere": (claim("a.b.c", 2), {"a.b": {"d": 1}, "a": {"b": {"c": 2}}}, None),
    "dots alone": (claim("...", 1), {"a": 1}, CLAIMS),
    "an empty name": (claim(".a", 1), {"": {"a": 1}}, CLAIMS),
    "a path of names": (claim(("kubernetes.io", "namespace"), "shop"), KUBERNETES, None),
    "a path that is read in one way": (claim(("kubernetes", "io", "namespace"), "shop"), KUBERNETES, CLAIMS),
    "a path through a text or a list": (claim(("a", "b"), "x"), {"a": ["b", {"b": "x"}]}, CLAIMS),
    "a path that ends early": (claim(("a", "b"), "x"), {"a": {}}, CLAIMS),
    "a claim absent": (claim("a", "x"), {}, CLAIMS),
    "a claim null": (claim("a", "x"), {"a": None}, CLAIMS),
    "a number for a text": (claim("a", "1"), {"a": 1}, CLAIMS),
    "true for 1": (claim("a", 1), {"a": True}, CLAIMS),
    "1 for true": (claim("a", True), {"a": 1}, CLAIMS),
    "true for true": (claim("a", True), {"a": True}, None),
    "1.0 for 1": (claim("a", 1), {"a": 1.0}, None),
    "an object for a text": (claim("a", "x"), {"a": {"x": 1}}, CLAIMS),
    "a list in a list": (claim("a", "x"), {"a": [["x"]]}, CLAIMS),
    "recent": (recent_authentication(max_age=60), {"auth_time": NOW - 60}, None),
    "not recent": (recent_authentication(max_age=60), {"auth_time": NOW - 60.5}, STEP_UP),
    "just now": (recent_authentication(max_age=0), {"auth_time": NOW}, None),
    "in the future": (recent_authentication(max_age=60), {"auth_time": NOW + 1}, STEP_UP),
    "no auth_time": (recent_authentication(max_age=60), {}, STEP_UP),
    "auth_time a text": (recent_authentication(max_age=60), {"auth_time": str(NOW)}, STEP_UP),
    "auth_time true": (recent_authentication(max_age=2_000_000_000), {"auth_time": True}, STEP_UP),
    "auth_time in 400 digits": (recent_authentication(max_age=60), {"auth_time": 10**400}, STEP_UP),
    "strong": (recent_authentication(acr_values=("gold", "mfa")), {"acr": "mfa"}, None),
    "not strong": (recent_authentication(acr_values=("gold",)), {"acr": "silver"}, STEP_UP),
    "acr absent": (recent_authentication(acr_values=("gold",)), {}, STEP_UP),
    "acr a list": (recent_authentication(acr_values=("gold",)), {"acr": ["gold"]}, STEP_UP),
    "recent, not strong": (recent_authentication(max_age=9, acr_values=("a",)), {"auth_time": NOW}, STEP_UP),
    "both": (READ & ROLE, {"scope": "read", "realm_access": {"roles": ["admin"]}}, None),
    "the second missing": (READ & ROLE, {"scope": "read"}, CLAIMS),
    "the first missing": (READ & ROLE, {"realm_access": {"roles": ["admin"]}}, SCOPES),
    "either": (READ | ROLE, {"realm_access": {"roles": ["admin"]}}, None),
    "neither": (READ | ROLE, {}, SCOPES),
    "neither, the other way round": (ROLE | READ, {}, CLAIMS),
    "one in three": (READ | ROLE | ANY, {"scope": "a"}, None),
}


@pytest.mark.parametrize("name", ROWS)
def test_requirements_are_met_or_refused(name: str) -> None:
    """A requirement is met or refused with its own code."""
    requirement, claims, code = ROWS[name]
    refused = _unmet(requirement, _principal(**claims))
    assert (refused and refused.code) == code


def test_refusal_names_what_is_needed() -> None:
    """RFC 6750 section 3: `scope` names all that the resource needs; RFC 9470: max_age and acr_values."""
    nobody = _principal()
    named: dict[Requirement, tuple[str, ...]] = {
        WRITE: ("read", "write"),
        ANY: ("a",),
        READ & WRITE & ANY: ("read", "write", "a"),
    }
    for requirement, scopes in named.items():
        refused = _unmet(requirement, nobody)
        assert refused is not None
        assert refused.scopes == requirement.scopes == scopes
    weak = _unmet(recent_authentication(max_age=60, acr_values=("gold",)), nobody)
    assert weak is not None
    assert (weak.max_age, weak.acr_values) == (60, ("gold",))
    unfit = _unmet(ROLE, nobody)
    assert unfit is not None
    assert unfit.claim == "realm_access.roles"
    assert (ROLE | WRITE).scopes == ("read", "write")
    assert ROLE.scopes == ()


def test_refusal_names_the_path_of_a_claim_as_one_name() -> None:
    """A tuple of names is joined by dots, as it is for a name with dots."""
    unfit = _unmet(claim(("kubernetes.io", "namespace"), "shop"), _principal())
    assert unfit is not None
    assert unfit.claim == "kubernetes.io.namespace"


@pytest.mark.parametrize("proof", [SenderProof(jkt="j"), SenderProof(certificate="c")], ids=["DPoP", "certificate"])
def test_either_proof_meets_sender_constrained(proof: SenderProof) -> None:
    """RFC 9449, RFC 8705: either proof will do; a token alone, bound or not, is refused."""
    bound = _principal(cnf={"jkt": "j"})
    assert _unmet(sender_constrained(), bound.proven_by(proof)) is None
    refused = _unmet(sender_constrained(), bound)
    assert refused is not None
    assert refused.refusal is Refusal.SENDER_CONSTRAINT_REQUIRED


@pytest.mark.parametrize(
    ("requirement", "text"),
    [
        (WRITE, "scope('read', 'write')"),
        (ANY, "any_scope('a', 'b')"),
        (claim("a", 1, True), "claim('a', 1, True)"),
        (claim(("a.b", "c"), "x"), "claim(('a.b', 'c'), 'x')"),
        (sender_constrained(), "sender_constrained()"),
        (READ & ANY, "scope('read') & any_scope('a', 'b')"),
        (READ | ANY, "scope('read') | any_scope('a', 'b')"),
        (READ & (ANY | ROLE), "scope('read') & (any_scope('a', 'b') | claim('realm_access.roles', 'admin', 'owner'))"),
        (READ & ANY & READ, "scope('read') & any_scope('a', 'b') & scope('read')"),
    ],
)
def test_requirement_repr_is_python(requirement: Requirement, text: str) -> None:
    """Its `repr` is Python that makes it again; equal ones are equal and hash alike."""
    assert repr(requirement) == text
    again = eval(text)
    assert again == requirement
    assert hash(again) == hash(requirement)


REFUSED: dict[str, Callable[[], object]] = {
    "no scope": scope,
    "empty scope": lambda: scope(""),
    "two scopes in one": lambda: scope("a b"),
    "a quote": lambda: scope('a"'),
    "a backslash": lambda: scope("a\\"),
    "not ASCII": lambda: scope("é"),
    "a control character": lambda: scope("a\n"),
    "no text": lambda: scope(1),  # type: ignore[arg-type]
    "no scope of any": any_scope,
    "a claim without a name": lambda: claim("", "x"),
    "a path without names": lambda: claim((), "x"),
    "a path with an empty name": lambda: claim(("a", ""), "x"),
    "a path with a number": lambda: claim(("a", 1), "x"),  # type: ignore[arg-type]
    "a list of names": lambda: claim(["a", "b"], "x"),  # type: ignore[arg-type]
    "a claim without values": lambda: claim("a"),
    "a claim that is null": lambda: claim("a", None),  # type: ignore[arg-type]
    "a claim that is a list": lambda: claim("a", ["x"]),  # type: ignore[arg-type]
    "nothing asked": recent_authentication,
    "negative age": lambda: recent_authentication(max_age=-1),
    "a fraction of an age": lambda: recent_authentication(max_age=1.5),  # type: ignore[arg-type]
    "age true": lambda: recent_authentication(max_age=True),
    "acr_values a text": lambda: recent_authentication(acr_values="gold"),  # type: ignore[arg-type]
    "acr_values empty": lambda: recent_authentication(acr_values=("",)),
    "and something else": lambda: READ & "write",  # type: ignore[operator]
    "or something else": lambda: READ | None,  # type: ignore[operator]
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_requirements_are_refused(name: str) -> None:
    """An empty requirement would let everybody in, or nobody."""
    with pytest.raises(ConfigurationError):
        REFUSED[name]()


@pytest.mark.parametrize(
    "make",
    [lambda one, two: one & two, lambda one, two: one | two, lambda one, two: two & one],
    ids=["and", "or", "turned"],
)
def test_time_reaches_each_part_of_a_requirement(make: Any) -> None:
    """A recent log-in is judged by the same `now`, alone and in company."""
    requirement = make(recent_authentication(max_age=60), scope("never") | recent_authentication(max_age=60))
    authorize(_principal(auth_time=NOW - 60), requirement, NOW)
    for moment in (NOW - 60.5, NOW + 0.5):
        with pytest.raises(AuthError):
            authorize(_principal(auth_time=moment), requirement, NOW)


COMBINED: dict[str, Callable[[], object]] = {
    "and": lambda: READ and WRITE,
    "or": lambda: READ or WRITE,
    "not": lambda: not READ,
    "if": lambda: WRITE if READ & ANY else None,
    "a default": lambda: ROLE or None,
}


@pytest.mark.parametrize("name", COMBINED)
def test_requirements_are_not_combined_with_and_and_or(name: str) -> None:
    """`scope("a") and scope("b")` would silently mean the second one alone."""
    with pytest.raises(
        TypeError, match=r"^a requirement is neither true nor false: combine requirements with & and \|"
    ):
        COMBINED[name]()
