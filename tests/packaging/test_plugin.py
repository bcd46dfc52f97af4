"""The pytest plugin as users have it: from the built wheel, beside pytest alone, and beside plugins for event loops."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

PLAIN = """
import asyncio
import sys

import pytest

from bearward import AuthError, requires, scope



def test_pytest_alone_is_installed():
    import importlib.util

    assert [name for name in ("sanic", "grpc", "pytest_asyncio") if importlib.util.find_spec(name)] == []


def test_tokens_by_the_clock(bearward_verifier, bearward_token, bearward_clock):
    async def use():
        async with bearward_verifier as verifier:
            token = bearward_token(sub="ada", expires_in=60)
            print((await verifier.verify(token)).subject)
            bearward_clock.advance(60)
            with pytest.raises(AuthError) as refused:
                await verifier.verify(token)
            return refused.value.code

    assert asyncio.run(use()) == "token_expired"


@requires(scope("notes:read"))
def notes():
    return "notes"


def test_acting(bearward_as):
    bearward_as(scope="notes:read")
    assert notes() == "notes"
    bearward_as(scope="other")
    with pytest.raises(AuthError):
        notes()


def test_it_ends():
    with pytest.raises(AuthError):
        notes()
"""

# Each collects what is left behind, so that an open task or socket fails the run.
ASYNCIO = """
import gc

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_first(bearward_verifier, bearward_token, bearward_clock):
    assert (await bearward_verifier.verify(bearward_token(sub="ada"))).subject == "ada"


async def test_second(bearward_verifier, bearward_token, bearward_issuer):
    assert (await bearward_verifier.verify(bearward_token(sub="eve"))).subject == "eve"
    assert bearward_issuer.requests("/jwks") == 1
    gc.collect()
"""
ANYIO = (
    ASYNCIO.replace('pytest.mark.asyncio(loop_scope="module")', "pytest.mark.anyio")
    + """

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
)

TYPED = """
import pytest

from bearward import Principal, Verifier
from bearward.testing import HOSTILE_TOKENS, LocalIssuer, MovableClock, acting_as, principal_with
from bearward_pytest import ActAs, CheckPolicy, Mint, UseVerifier


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_types(
    name: str,
    bearward_as: ActAs,
    bearward_clock: MovableClock,
    bearward_issuer: LocalIssuer,
    bearward_policy: CheckPolicy,
    bearward_token: Mint,
    bearward_use_verifier: UseVerifier,
    bearward_verifier: Verifier,
) -> None:
    token: str = bearward_token(sub="ada", expires_in=60)
    hostile: str = bearward_issuer.hostile(name, scope="notes:read")
    who: Principal = bearward_as(principal_with(sub="ada"))
    bearward_clock.advance(60)
    with acting_as(sub="eve") as eve:
        assert eve.subject != who.subject and token != hostile
"""


@pytest.fixture(scope="module")
def alone(python_with_pytest: Callable[..., Path]) -> Path:
    """The wheel and pytest."""
    return python_with_pytest()


@pytest.fixture(scope="module")
def beside(python_with_pytest: Callable[..., Path]) -> Path:
    """The wheel, pytest, and both plugins for event loops."""
    return python_with_pytest("pytest-asyncio", "anyio")


def test_plugin_works_beside_pytest_alone(alone: Path, tmp_path: Path) -> None:
    """Issuer, tokens, clock and acting, found by the entry point; warnings are errors."""
    done = _pytest(alone, tmp_path, PLAIN)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_plugin_loads_nothing_before_a_fixture_asks(alone: Path, tmp_path: Path) -> None:
    """Pytest finds the entry point in every project: by itself that imports one small module, in a few milliseconds."""
    code = (
        "import sys\n\ndef test_it():\n    print(sorted(name for name in sys.modules if name.startswith('bearward')))\n"
    )
    done = _pytest(alone, tmp_path, code, "-s")
    assert "['bearward_pytest']" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("code", [ASYNCIO, ANYIO], ids=["pytest-asyncio", "anyio"])
def test_plugin_works_beside_plugins_for_event_loops(beside: Path, tmp_path: Path, code: str) -> None:
    """The same fixtures, in tests that are coroutines, on a loop that tests share or on one of their own."""
    done = _pytest(beside, tmp_path, code, "-o", "asyncio_default_fixture_loop_scope=function")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_types_of_the_kit_hold_for_users(alone: Path, tmp_path: Path) -> None:
    """A user's `mypy --strict` knows every fixture and name, from the installed wheel."""
    (tmp_path / "test_types.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(alone), "--cache-dir", os.devnull]
    wrong = "\n\ndef wrong(bearward_token: Mint) -> int:\n    return bearward_token()\n"
    (tmp_path / "test_wrong.py").write_text(TYPED + wrong)
    outcomes = [
        subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280).stdout
        for name in ("test_types.py", "test_wrong.py")
    ]
    assert "Success" in outcomes[0], outcomes[0]
    assert "Found 1 error" in outcomes[1], outcomes[1]


def _pytest(python: Path, place: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    (place / "test_it.py").write_text(code)
    command = [str(python), "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options, "test_it.py"]
    return subprocess.run(command, cwd=place, env={}, capture_output=True, text=True, check=False, timeout=200)
