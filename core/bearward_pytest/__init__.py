"""The pytest plugin: an issuer, tokens and a clock as fixtures, calls without an issuer, and the policy as a snapshot.

Rules of this file: importing it imports nothing but pytest, since pytest does so in every project that has bearward
installed; a fixture imports what it needs. It patches nothing, needs no plugin for event loops, and works beside any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from bearward import Principal, Verifier
    from bearward.testing import LocalIssuer, MovableClock

__all__ = [
    "ActAs",
    "CheckPolicy",
    "Mint",
    "UseVerifier",
    "bearward_as",
    "bearward_clock",
    "bearward_issuer",
    "bearward_issuer_settings",
    "bearward_policy",
    "bearward_token",
    "bearward_use_verifier",
    "bearward_verifier",
]


class Mint(Protocol):
    """`bearward_token`: a token of the test's issuer, with these claims; the arguments are those of `LocalIssuer.mint`."""

    def __call__(self, **changes: Any) -> str:
        """The token."""
        ...


class ActAs(Protocol):
    """`bearward_as`: from now on, and until the test ends, calls without credentials are made by this principal."""

    def __call__(self, principal: Principal | None = None, /, **claims: Any) -> Principal:
        """Who acts; `claims` instead of a principal make one."""
        ...


class UseVerifier(Protocol):
    """`bearward_use_verifier`: until the test ends, a Sanic application or a gRPC interceptor verifies by this verifier."""

    def __call__(self, guarded: Any, verifier: Verifier | None = None) -> Verifier:
        """The verifier that is used; by default `bearward_verifier`."""
        ...


class CheckPolicy(Protocol):
    """`bearward_policy`: who may call what must be what was approved, in `policies/` beside the test."""

    def __call__(
        self, guarded: Any, *registered: Any, callers: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        """Fails if the policy of a Sanic application, or of gRPC rules and what is registered, is another."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--bearward-update` approves policies as they are decided now."""
    group = parser.getgroup("bearward", "bearward: tokens, issuers and access policies")
    group.addoption("--bearward-update", action="store_true", help="approve who may call what, as it is decided now")


def pytest_runtest_setup() -> None:
    """Nothing that `memory://` holds for one test is there for the next, even on the same event loop."""
    forget = getattr(sys.modules.get("bearward.cache.memory"), "forget_all", None)
    if forget is not None:  # loaded, and not by some thread at this moment
        forget()


@pytest.fixture
def bearward_clock() -> MovableClock:
    """The clock of `bearward_issuer` and `bearward_verifier`: it stands still until the test moves it."""
    from bearward.testing import MovableClock

    return MovableClock()


@pytest.fixture
def bearward_issuer_settings() -> dict[str, Any]:
    """The arguments of `bearward_issuer`'s `LocalIssuer`; override it to choose `audience`, `algorithms` and so on."""
    return {}


@pytest.fixture
def bearward_issuer(bearward_clock: MovableClock, bearward_issuer_settings: Mapping[str, Any]) -> Iterator[LocalIssuer]:
    """An issuer on loopback, for this test alone, on `bearward_clock`.

    Its key is for ES256 unless `bearward_issuer_settings` says otherwise.
    """
    from bearward.testing import LocalIssuer

    settings: dict[str, Any] = {"algorithms": ["ES256"], "clock": bearward_clock, **bearward_issuer_settings}
    with LocalIssuer(**settings) as issuer:
        yield issuer


@pytest.fixture
def bearward_token(bearward_issuer: LocalIssuer) -> Mint:
    """Mints tokens of `bearward_issuer`: `bearward_token(sub="ada", scope="notes:read", expires_in=60)`."""
    return bearward_issuer.mint


@pytest.fixture
def bearward_verifier(bearward_issuer: LocalIssuer, bearward_clock: MovableClock) -> Iterator[Verifier]:
    """A verifier that trusts `bearward_issuer`, by `bearward_clock`; it starts on the loop that first uses it."""
    from bearward.testing.closing import close_verifier

    verifier = bearward_issuer.verifier(clock=bearward_clock)
    yield verifier
    close_verifier(verifier)


@pytest.fixture
def bearward_as() -> Iterator[ActAs]:
    """`bearward_as(scope="notes:read")`: calls without credentials are made by such a principal, until the test ends.

    Another call replaces the first. Rules are judged as always, and so are credentials that a call does bring.
    """
    from bearward.testing import acting_as

    with ExitStack() as acting:

        def act(principal: Principal | None = None, /, **claims: Any) -> Principal:
            acting.close()
            return acting.enter_context(acting_as(principal, **claims))

        yield act


@pytest.fixture
def bearward_use_verifier(request: pytest.FixtureRequest) -> Iterator[UseVerifier]:
    """`bearward_use_verifier(app)`: an application or interceptor that was built at import trusts the test's issuer.

    `app` is a Sanic application that does not run yet, or an `AuthInterceptor` or `SyncAuthInterceptor`.
    """
    with ExitStack() as used:

        def use(guarded: Any, verifier: Verifier | None = None) -> Verifier:
            chosen: Verifier = request.getfixturevalue("bearward_verifier") if verifier is None else verifier
            used.enter_context(_adapter_of(guarded).use_verifier(guarded, chosen))
            return chosen

        yield use


@pytest.fixture
def bearward_policy(request: pytest.FixtureRequest) -> CheckPolicy:
    """`bearward_policy(app)`, or `bearward_policy(RULES, add_NotesServicer_to_server)`: the policy is the approved one.

    It is compared with a file in `policies/` beside the test, which `pytest --bearward-update` writes.
    """
    from bearward.testing.snapshot import compare_with_approved

    checked: list[None] = []

    def check(guarded: Any, *registered: Any, callers: Mapping[str, Any] | None = None, **settings: Any) -> None:
        __tracebackhide__ = True
        matrix = _adapter_of(guarded).policy_matrix(guarded, *registered, callers=callers, **settings)
        checked.append(None)
        path = _approved_file(request.node, len(checked))
        changed = compare_with_approved(path, str(matrix), update=request.config.getoption("--bearward-update"))
        if changed is not None:
            pytest.fail(changed, pytrace=False)

    return check


def _approved_file(node: pytest.Item, number: int) -> Path:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{node.path.stem}.{node.name}").strip("-")
    return node.path.parent / "policies" / f"{name}{'' if number == 1 else f'.{number}'}.txt"


def _adapter_of(guarded: Any) -> Any:
    """The testing module of the adapter that guards this; each needs its framework."""
    of_sanic = any(base.__module__.partition(".")[0] == "sanic" for base in type(guarded).__mro__)
    if of_sanic:
        import bearward_sanic.testing

        return bearward_sanic.testing
    import bearward_grpc.testing

    return bearward_grpc.testing
