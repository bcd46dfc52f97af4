"""An explanation and a verification never differ: what is wrong first is what the token is refused for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward import AuthError, TrustedIssuer, Verifier, requires, scope
from bearward.adapters import bearer_token
from bearward.explanation import Check, Verdict
from bearward.settings import Settings
from bearward.testing import LocalIssuer
from tests import cases
from tests.attack.fixtures import Fixtures as Attack
from tests.attack.fixtures import fixtures
from tests.conftest import Run

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def attack() -> Iterator[Attack]:
    """Every hostile and every good token of the attack table."""
    with fixtures() as made:
        yield made


def wrong(checks: tuple[Check, ...]) -> list[str | None]:
    """The codes of the wrong checks, in order."""
    return [check.refusal and check.refusal.code for check in checks if check.verdict is Verdict.WRONG]


async def _differences(verifier: Verifier, tokens: list[tuple[str, str]]) -> list[tuple[str, object, object]]:
    different: list[tuple[str, object, object]] = []
    async with verifier:
        for name, token in tokens:
            try:
                await verifier.verify(token)
                code = None
            except AuthError as refused:
                code = refused.code
            explained = verifier.explain(token)
            first = (wrong(explained.checks) or [None])[0]
            if not code == first == explained.code or "request" in [check.name for check in explained.checks]:
                different.append((name, code, wrong(explained.checks)))
    return different


def test_first_wrong_check_is_the_reason_of_the_refusal_in_the_attack_table(
    attack: Attack, tmp_path: Path, run: Run
) -> None:
    """Of every token of the attack table, and of every odd key set: one reason, and none for a good token."""
    config = tmp_path / "settings.toml"
    config.write_text(attack.toml())
    tokens = []
    for case in (*attack.cases, *(odd.case for odd in attack.odd)):
        try:
            tokens.append((f"{case.kind}: {case.name}", bearer_token(case.values)))
        except AuthError:
            continue  # how a token is presented is judged before there is one
    assert len(tokens) > 400
    assert run(_differences(Settings.from_toml(config).verifier(), tokens)) == []


def test_first_wrong_check_is_the_reason_of_the_refusal_in_the_shared_cases(run: Run) -> None:
    """Of every case that the adapters are held to, the access rule included."""
    with LocalIssuer(algorithms=cases.ALGORITHMS, audience=cases.AUDIENCE) as issuer, LocalIssuer() as stranger:
        made = cases.Fixtures(issuer, stranger)

        async def explained() -> list[tuple[str, object, object]]:
            different: list[tuple[str, object, object]] = []
            async with Verifier(TrustedIssuer(issuer.url, audience=cases.AUDIENCE)) as verifier:
                await verifier.verify(made.honest())  # its keys are held then
                for case in cases.CASES:
                    try:
                        token = bearer_token([value.encode() for value in case.present(made)])
                    except AuthError:
                        continue
                    rule = requires(scope(cases.SCOPE)) if case.needs_scope else None
                    found = verifier.explain(token, access=rule)
                    expected = None if case.granted else case.expected
                    own = "request" not in [check.name for check in found.checks]  # which is for what no check explains
                    if not own or not found.code == expected == (wrong(found.checks) or [None])[0]:
                        different.append((case.name, expected, wrong(found.checks)))
            return different

        assert run(explained()) == []
