"""Two tiers of tests: what runs while one works, and everything.

Rules of this file: a test is of the second tier when it says so (`@pytest.mark.thorough`), and nothing else decides it.
`--tier quick` deselects those and tries the properties with few examples; without it everything runs. The last lines of
a run say how long it took and what it left out, so that nobody mistakes a quick run for a whole one.
"""

from __future__ import annotations

import os
import time

import pytest

TIERS = ("quick", "thorough")
MARK = "thorough"
LEFT_OUT = pytest.StashKey[set[str]]()
BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--tier quick` is what `make test` says."""
    parser.addoption("--tier", choices=TIERS, default=TIERS[-1], help="quick: leave out what is marked `thorough`")


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported: the properties read their profile when they are defined."""
    config.stash[LEFT_OUT] = set()
    config.stash[BEGAN] = time.monotonic()
    os.environ.setdefault("BEARWARD_PROPERTIES", config.getoption("tier"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the second tier out of a quick run."""
    if config.getoption("tier") != "quick":
        return
    left_out = [item for item in items if item.get_closest_marker(MARK)]
    items[:] = [item for item in items if not item.get_closest_marker(MARK)]
    config.stash[LEFT_OUT].update(item.nodeid for item in left_out)
    config.hook.pytest_deselected(items=left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist collects for itself; only the controller can say what was left out."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        left_out = session.config.stash[LEFT_OUT]
        output["left_out"] = sorted(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """The controller hears from each worker; all collected the same."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    left_out: list[str] = getattr(node, "workeroutput", {}).get("left_out", [])
    config.stash[LEFT_OUT].update(left_out)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The last word of a run."""
    took = time.monotonic() - config.stash[BEGAN]
    tier = config.getoption("tier")
    left_out = len(config.stash[LEFT_OUT])
    number = left_out or "the"  # an interrupted run may not know
    said = (
        f"{number} tests of the second tier left out, make check runs them" if tier == "quick" else "no tier left out"
    )
    terminalreporter.write_line(f"tier {tier}: {took:.0f} s; {said}")
