"""The pytest plugin: light to load, isolated from test to test, and of use without any plugin for event loops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward import Access, AuthError, Refusal, TrustedIssuer, Verifier, authenticated, public
from bearward.stand_in import stand_in
from bearward.testing import LocalIssuer, MovableClock, PolicyMatrix, close_verifier, principal_with
from bearward.testing.policy_matrix import Caller
from bearward.testing.snapshot import compare_with_approved
from bearward_pytest import ActAs, Mint
from tests.conftest import Run

_LIGHT = """
import sys
import pytest
before = set(sys.modules)
import bearward_pytest
print(*sorted(set(sys.modules) - before))
"""


def test_loading_the_plugin_imports_nothing_else() -> None:
    """It is loaded in every project that has bearward installed, whether its tests use it or not."""
    done = subprocess.run([sys.executable, "-c", _LIGHT], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["bearward_pytest"]


def test_fixtures_belong_together(
    bearward_verifier: Verifier,
    bearward_token: Mint,
    bearward_clock: MovableClock,
    bearward_issuer: LocalIssuer,
    run: Run,
) -> None:
    """The verifier trusts the issuer, and both go by the clock."""

    async def use() -> Refusal:
        async with bearward_verifier as verifier:
            token = bearward_token(sub="ada", expires_in=60)
            assert (await verifier.verify(token)).subject == "ada"
            bearward_clock.advance(60)
            with pytest.raises(AuthError) as refused:
                await verifier.verify(token)
            return refused.value.refusal

    assert run(use()) is Refusal.TOKEN_EXPIRED
    assert bearward_issuer.now() == bearward_clock.now()


def test_verifier_that_a_test_left_open_is_closed(bearward_verifier: Verifier, bearward_token: Mint) -> None:
    """No task is left behind: it would be reported as an error when its loop is collected."""
    assert asyncio.run(bearward_verifier.verify(bearward_token(sub="ada"))).subject == "ada"


def test_verifier_is_closed_where_a_loop_runs(bearward_issuer: LocalIssuer, run: Run) -> None:
    """A fixture of an asynchronous test ends on its loop, which must not be blocked: the end is left to it."""

    async def use() -> str:
        verifier = bearward_issuer.verifier()
        await verifier.verify(bearward_issuer.mint())
        close_verifier(verifier)
        await asyncio.sleep(0)
        return repr(verifier)

    assert "not started" in run(use())


@pytest.mark.parametrize("turn", [1, 2])
def test_acting_ends_with_the_test(bearward_as: ActAs, turn: int) -> None:
    """Whoever acted in a test before this one does not act in it."""
    assert stand_in() is None
    who = bearward_as(sub="ada", scope="notes:read")
    assert stand_in() == who
    bearward_as(principal_with(sub="eve"))
    assert stand_in() == principal_with(sub="eve")


LOOP = asyncio.new_event_loop()
ISSUER = "https://login.example"


@pytest.fixture(scope="module", autouse=True)
def _close_loop() -> Iterator[None]:
    yield
    LOOP.close()


@pytest.mark.parametrize("kid", ["of one test", "of the next"])
def test_memory_of_one_test_is_not_the_next_ones(kid: str) -> None:
    """On one loop, an issuer of the same name: its keys are fetched anew, and not found in `memory://`."""

    async def use(issuer: LocalIssuer) -> str:
        policy = TrustedIssuer(ISSUER, audience=issuer.audience, jwks_uri=issuer.jwks_uri)
        async with Verifier(policy) as verifier:
            return (await verifier.verify(issuer.mint())).key_thumbprint

    with LocalIssuer(algorithms=["ES256"], identifier=ISSUER, port=PORTS.setdefault("port", 0)) as issuer:
        PORTS["port"] = issuer.port
        assert LOOP.run_until_complete(use(issuer)) == issuer.key().thumbprint
        assert issuer.requests("/jwks") == 1


PORTS: dict[str, int] = {}


def test_nothing_is_approved_by_running_a_test(tmp_path: Path) -> None:
    """A missing file fails and says what to do; only `--bearward-update` writes it."""
    path = tmp_path / "policies" / "test.txt"
    missing = compare_with_approved(path, "table\n", update=False)
    assert missing is not None
    assert "pytest --bearward-update" in missing
    assert not path.exists()
    assert compare_with_approved(path, "table\n", update=True) is None
    assert compare_with_approved(path, "table\n", update=False) is None


def test_change_of_a_policy_shows_as_one_line(tmp_path: Path) -> None:
    """What differs, under the names of the callers, and nothing else."""
    path = tmp_path / "test.txt"
    callers: dict[str, Caller] = {
        "anonymous": None,
        "expired": AuthError(Refusal.TOKEN_EXPIRED),
        "ada": principal_with(),
    }

    def table(rules: dict[str, Access]) -> str:
        return str(PolicyMatrix(rules, callers, lambda error: "ok" if error is None else error.code))

    compare_with_approved(path, table({"GET /": public, "GET /me": authenticated}), update=True)
    changed = compare_with_approved(path, table({"GET /": public, "GET /me": public}), update=False)
    assert changed is not None
    lines = [line for line in changed.splitlines() if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")]
    assert lines == [
        "-credentials_missing  token_expired        ok                   GET /me: authenticated",
        "+ok                   ok                   ok                   GET /me: public",
    ]
