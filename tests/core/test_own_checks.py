"""Checks of one's own: whom a rule with some lets in, when each is asked, and what is said of one that fails."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from bearward import (
    Access,
    AuthError,
    CheckNeededError,
    ConfigurationError,
    Principal,
    Requirement,
    TrustedIssuer,
    Verifier,
    authorize,
    own_check,
    recent_authentication,
    requires,
    scope,
)
from bearward.explanation import Verdict
from bearward.testing import LocalIssuer, acting_as, principal_with
from tests.conftest import Run
from tests.own_check_cases import (
    ASKED,
    BOTH,
    CASES,
    OWNER,
    WHO,
    broken,
    is_ada,
    is_ada_in_store,
    named,
    owns_note,
    owns_note_in_store,
)


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_with_its_checks_awaited(name: str, who: str, run: Run) -> None:
    """Only True lets a caller in; what a check raises, or fails to say, refuses."""
    case = CASES[name]
    refused = run(requires(case.requirement).refusal_awaiting(principal_with(sub=who, scope="a"), 0.0))
    assert (None if refused is None else refused.code) == getattr(case, who)


@pytest.mark.parametrize("function", [owns_note, owns_note_in_store])
def test_check_without_its_parameter_lets_nobody_in(function: Any, run: Run) -> None:
    """Whatever binds no parameter, as for a call without a path."""
    rule = requires(named(function, parameters=["note"]))
    refused = run(rule.refusal_awaiting(principal_with(sub="ada"), 0.0, {"other": "ada"}))
    assert refused is not None
    assert refused.code == BOTH


@pytest.mark.parametrize(("note", "code"), [("ada", None), ("bob", BOTH)])
def test_check_is_given_the_parameters_of_the_path(note: str, code: str | None, run: Run) -> None:
    """Whether it is awaited or not; what else the path holds does not concern it."""
    caller, path = principal_with(sub="ada"), {"note": note, "other": "x"}
    refused = run(requires(OWNER).refusal_awaiting(caller, 0.0, path))
    assert (None if refused is None else refused.code) == code


def test_rest_of_the_rule_is_decided_at_the_same_time(run: Run) -> None:
    """A sign-in that is too old refuses beside a check that was awaited."""
    rule = requires(named(is_ada_in_store) & recent_authentication(max_age=60))
    codes = []
    for now in (1060.0, 1061.0):
        refused = run(rule.refusal_awaiting(principal_with(sub="ada", auth_time=1000), now))
        codes.append(None if refused is None else refused.code)
    assert codes == [None, "authentication_insufficient"]


def test_check_is_asked_only_if_the_rest_of_the_rule_asks_for_it(run: Run) -> None:
    """In the order of the rule, and each check once however often the rule names it."""

    def rest(requirement: Requirement) -> list[str]:
        ASKED.clear()
        run(requires(requirement).refusal_awaiting(principal_with(sub="ada", scope="a"), 0.0))
        return list(ASKED)

    check = named(is_ada_in_store)
    assert rest(scope("b") & check) == []
    assert rest(scope("a") | check) == []
    assert rest(check & check & (scope("b") | check)) == ["ada"]


def test_rule_with_an_asynchronous_check_is_no_synchronous_one() -> None:
    """Nothing decides without the check: who cannot await it is told so."""
    rule, caller = requires(named(is_ada_in_store)), principal_with(sub="ada")
    with pytest.raises(CheckNeededError):
        rule.refusal(caller, 0.0)
    with pytest.raises(CheckNeededError):
        authorize(caller, named(is_ada_in_store), 0.0)


class Holding(Requirement):
    """A requirement of one's own that keeps answers from its part."""

    def __init__(self, part: Requirement) -> None:
        self._part = part

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        """As its part."""
        return self._part.unmet(principal, now)


def test_requirement_that_keeps_answers_to_itself_lets_nobody_in(run: Run) -> None:
    """It would ask for ever: the second time is an error instead."""
    with pytest.raises(CheckNeededError):
        run(requires(Holding(named(is_ada_in_store))).refusal_awaiting(principal_with(sub="ada"), 0.0))


def test_marked_function_that_a_test_calls_directly_awaits_its_check(run: Run) -> None:
    """As whoever the test says is calling."""

    @requires(named(is_ada_in_store))
    async def handler() -> str:
        return "ran"

    with acting_as(sub="ada"):
        assert run(handler()) == "ran"
    with acting_as(sub="bob"), pytest.raises(AuthError) as refused:
        run(handler())
    assert refused.value.code == BOTH


def test_explanation_leaves_an_asynchronous_check_open() -> None:
    """It says that the rule was not decided, and what the token lacks otherwise."""
    issuer = LocalIssuer(algorithms=["ES256"])
    verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks()))
    token = issuer.mint(sub="bob", scope="a")
    explained = verifier.explain(token, access=requires(named(is_ada_in_store)))
    assert [check.verdict for check in explained.checks if check.name == "access rule"] == [Verdict.NOT_REACHED]
    wrong = verifier.explain(token, access=requires(scope("b") & named(is_ada_in_store)))
    assert wrong.code == "scope_insufficient"


def test_log_has_neither_claims_nor_the_text_of_an_exception(caplog: pytest.LogCaptureFixture, run: Run) -> None:
    """Only which check failed, how, and where."""
    run(requires(named(broken)).refusal_awaiting(principal_with(sub="marker"), 0.0))
    (record,) = [record for record in caplog.records if record.name == "bearward.checks"]
    assert "own_check(broken, code='not_ada') failed: KeyError" in record.getMessage()
    assert "marker" not in caplog.text


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda rule: pickle.loads(pickle.dumps(rule))])
@pytest.mark.parametrize("function", [is_ada, is_ada_in_store])
def test_rule_with_a_check_is_copied_pickled_and_compared(clone: Any, function: Any) -> None:
    """As every rule is, so that it can be sent to a worker."""
    rule: Access = requires(scope("a") & named(function))
    assert (clone(rule), hash(clone(rule))) == (rule, hash(rule))
    assert rule != requires(scope("a") & own_check(function, code="other"))


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("own_check", {"function": None}),
    ("own_check", {"function": bool}),
    ("own_check", {"function": scope("a")}),
    ("own_check.code", {"code": ""}),
    ("own_check.code", {"code": "NotAda"}),
    ("own_check.code", {"code": "not ada"}),
    ("own_check.code", {"code": "token_expired"}),
    ("own_check.code", {"code": "check_failed"}),
    ("own_check.code", {"code": "a" * 65}),
    ("own_check.message", {"message": ""}),
    ("own_check.message", {"message": 'say "no"'}),
    ("own_check.message", {"message": "two\nlines"}),
    ("own_check.parameters", {"parameters": "note"}),
    ("own_check.parameters", {"parameters": [""]}),
    ("own_check.timeout", {"timeout": 0}),
    ("own_check.timeout", {"timeout": 61}),
    ("own_check.timeout", {"timeout": True}),
]


@pytest.mark.parametrize(("setting", "given"), WRONG)
def test_check_that_could_not_work_is_refused_when_it_is_made(setting: str, given: dict[str, Any]) -> None:
    """By the name of what is wrong."""
    valid: dict[str, Any] = {"function": is_ada, "code": "not_ada"}
    merged = {**valid, **given}
    with pytest.raises(ConfigurationError) as caught:
        own_check(merged.pop("function"), **merged)
    assert caught.value.setting == setting
