"""What all tests share: how a coroutine is run.

Rules of this file: fixtures and configuration only, no cases. A test of a coroutine is a plain function that calls
`run(coroutine)`; while it runs, blockbuster makes any call that blocks the event loop from our code an error.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from bearward.jose import aws_lc
from tests.signature_libraries import LIBRARIES

# How fast a machine draws examples is no property of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.tiers", "bearward_pytest"]  # the latter in whatever way bearward is installed

OURS = ("bearward", "bearward_grpc", "bearward_sanic")
THREADED = ("bearward.testing",)  # starts servers and waits for them: meant to block
LOOPS = ("asyncio", "uvloop")

T = TypeVar("T")


class Run(Protocol):
    """Run a coroutine to its end on a new event loop, and answer what it returns."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], *, loop: str | None = None) -> T: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--loop uvloop` runs every test that takes `run` on uvloop, `--signatures cryptography` all without AWS-LC."""
    parser.addoption("--signatures", choices=LIBRARIES, default=None, help="the library that verifies signatures")
    parser.addoption("--loop", choices=LOOPS, default="asyncio", help="the event loop behind the `run` fixture")


def pytest_configure(config: pytest.Config) -> None:
    """Before any key is made."""
    library = config.getoption("--signatures")
    if library is not None:
        aws_lc.use(library == "aws-lc")


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """`run(coroutine)`, or `run(coroutine, loop="uvloop")`, with blocking calls of our packages made errors."""
    chosen: str = request.config.getoption("--loop")

    def run_on(coroutine: Coroutine[Any, Any, T], *, loop: str | None = None) -> T:
        with asyncio.Runner(loop_factory=_loop_factory(loop or chosen), debug=False) as runner:
            return runner.run(coroutine)

    with blockbuster_ctx(_importable(OURS), excluded_modules=_importable(THREADED)) as blocking:
        # grpcio joins its poller thread when its last object is collected: in whatever frame the collector runs
        blocking.functions["threading.Lock.acquire"].can_block_in("threading.py", {"join"})
        yield run_on


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


@pytest.fixture(autouse=True)
def _reports_start_anew() -> None:
    """Reports of bugs are limited by the minute; a test does not pay for the one before it."""
    from bearward.bug_reports import forget_reports
    from bearward.logs import log_events

    forget_reports()
    log_events.forget()


def _importable(names: Iterable[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is not None]
