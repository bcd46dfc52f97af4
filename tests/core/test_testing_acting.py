"""`acting_as`: a call without credentials is made by whom the test says, within its block and nowhere else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bearward import (
    AuthError,
    Principal,
    Refusal,
    Revocations,
    TrustedIssuer,
    UsageError,
    Verifier,
    authenticated,
    recent_authentication,
    requires,
    scope,
)
from bearward.access import deny
from bearward.stand_in import stand_in
from bearward.testing import MovableClock, acting_as, principal_with
from tests.conftest import Run

TOP = Path(__file__).parents[2]
IMPORTS_KIT = re.compile(r"^\s*(from|import) bearward\.testing\b", re.MULTILINE)
PACKAGES = ("core/bearward", "core/bearward_pytest", "grpc_adapter", "sanic_adapter", "samples")


@requires(scope("notes:read"))
def notes() -> str:
    """A handler that is called directly."""
    return "notes"


@requires(scope("notes:read"))
async def later() -> str:
    """One that is awaited."""
    return "notes"


@requires(scope("notes:read"))
def lines() -> Iterator[str]:
    """One that streams."""
    yield "notes"


@requires(scope("notes:read"))
async def lines_later() -> AsyncIterator[str]:
    """One that streams and is awaited."""
    yield "notes"


@deny
def closed() -> str:
    """One that no one may call."""
    return "closed"


def test_marked_function_is_judged_by_its_rule(run: Run) -> None:
    """Every form of function lets in who meets its rule, and refuses who does not for the rule's own reason."""

    async def every() -> list[str]:
        return [notes(), await later(), *lines(), *[line async for line in lines_later()]]

    with acting_as(sub="ada", scope="notes:read"):
        assert run(every()) == ["notes"] * 4
    for function in (notes, lambda: run(later()), lambda: list(lines())):
        with acting_as(sub="ada", scope="notes:write"), pytest.raises(AuthError) as refused:
            function()
        assert refused.value.refusal is Refusal.SCOPE_INSUFFICIENT
    with acting_as(scope="notes:read"), pytest.raises(AuthError) as refused:
        closed()
    assert refused.value.refusal is Refusal.NO_RULE


def test_acting_as_ends_with_its_block() -> None:
    """After the block, also one that an exception left, every call is refused again."""

    def fail() -> None:
        with acting_as(scope="notes:read"):
            assert notes() == "notes"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with pytest.raises(AuthError) as refused:
        notes()
    assert refused.value.refusal is Refusal.NO_RULE
    assert stand_in() is None


def test_blocks_nest() -> None:
    """Within another block, the inner principal acts; then the outer one again."""
    with acting_as(sub="ada", scope="notes:read") as ada:
        with acting_as(sub="eve") as eve, pytest.raises(AuthError):
            notes()
        assert (ada.subject, eve.subject, notes()) == ("ada", "eve", "notes")


def test_acting_as_takes_a_principal_of_ones_own() -> None:
    """A principal stands as it is; claims beside it are a mistake."""
    who = Principal({"iss": "https://login.example", "sub": "ada", "scope": "notes:read"}, key_thumbprint="k1")
    with acting_as(who) as acting:
        assert acting is who
        assert stand_in() == who
    with pytest.raises(UsageError), acting_as(who, scope="notes:read"):
        pass


def test_time_dependent_rule_uses_the_clock() -> None:
    """The clock that is given decides how long ago a principal logged in."""
    clock = MovableClock()

    @requires(recent_authentication(max_age=60))
    def transfer() -> str:
        return "done"

    with acting_as(principal_with(auth_time=clock.now()), clock=clock):
        assert transfer() == "done"
        clock.advance(3600)
        with pytest.raises(AuthError) as refused:
            transfer()
    assert refused.value.refusal is Refusal.AUTHENTICATION_INSUFFICIENT


def test_acting_as_works_only_in_a_running_test(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a service it raises; whoever says that this is a test is warned in the log."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with pytest.raises(UsageError, match="unsafe_outside_a_test"), acting_as(scope="notes:read"):
        pass
    assert stand_in() is None
    with acting_as(scope="notes:read", unsafe_outside_a_test=True):
        assert notes() == "notes"
    assert "every call without credentials is let in" in caplog.text


def test_nothing_but_the_testing_kit_can_set_it() -> None:
    """The setter and `acting_as` are used by the kit alone; the command line's issuer is all that else imports the kit."""
    kit = ("core/bearward/testing/", "core/bearward_pytest/", "/testing.py", "samples/", "core/bearward/command_line/")
    offenders = []
    for package in PACKAGES:
        for path in (TOP / package).rglob("*.py"):
            name, source = str(path.relative_to(TOP)), path.read_text()
            setter = "unsafe_set_stand_in" in source and not name.endswith(
                ("/testing/acting.py", "bearward/stand_in.py")
            )
            testing = IMPORTS_KIT.search(source) and not any(part in name for part in kit)
            acting = "acting_as" in source and not any(part in name for part in kit[:3]) and "stand_in" not in name
            if setter or testing or acting:
                offenders.append(name)
    assert offenders == []


def test_authenticated_takes_anyone() -> None:
    """Without a word about scopes any principal will do."""

    @authenticated
    def me() -> str | None:
        who = stand_in()
        return None if who is None else who.subject

    with acting_as(sub="ada"):
        assert me() == "ada"


def test_principals_have_the_claims_that_a_test_says() -> None:
    """The rest is plausible, and replaced by name."""
    claims: dict[str, Any] = principal_with(sub="ada", iss="https://login.example").to_dict()
    assert claims == {"iss": "https://login.example", "sub": "ada", "client_id": "client"}


def test_stand_in_stays_valid_until_its_exp_or_its_revocation() -> None:
    """A stream of a stand-in ends as any other does; one without `exp` does not end by itself."""
    clock, revocations = MovableClock(), Revocations()
    verifier = Verifier(TrustedIssuer("https://login.example", audience="api"), clock=clock, revocations=revocations)
    with acting_as(principal_with(sub="ada", jti="1", exp=clock.now() + 60), clock=clock):
        ada = stand_in()
    with acting_as(principal_with(sub="eve", jti="2"), clock=clock):
        eve = stand_in()
    assert ada is not None
    assert eve is not None
    assert verifier.seconds_until_expiry(ada) == 60
    assert verifier.seconds_until_expiry(ada, leeway=5) == 65
    for who in (ada, eve):
        verifier.check_still_valid(who)
    clock.advance(61)
    verifier.check_still_valid(ada, leeway=5)
    with pytest.raises(AuthError) as ended:
        verifier.check_still_valid(ada)
    assert ended.value.refusal is Refusal.TOKEN_EXPIRED
    verifier.check_still_valid(eve)
    revocations.revoke_token(eve.issuer, "2", until=clock.now() + 600)
    with pytest.raises(AuthError) as ended:
        verifier.check_still_valid(eve)
    assert ended.value.refusal is Refusal.TOKEN_REVOKED
