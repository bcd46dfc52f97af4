"""Which test runs which line of the stateful files: a plugin of pytest that asks coverage, and what it found.

Rules of this file: one context of coverage a test. What a fixture of a whole session or module runs belongs to the test that
needed it first. Each worker of pytest-xdist writes a file of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
import pytest

from tools.mutation.files import HERE, TOP
from tools.trees import FAILED, PASSED

__all__ = ["Covering", "find_out"]

PLACE = "BEARWARD_MUTATION_COVERING"
"""The environment variable with the folder to write into."""
PACKAGES = ("core/bearward", "grpc_adapter/bearward_grpc", "sanic_adapter/bearward_sanic")


@dataclass(frozen=True)
class Covering:
    """The tests by file and line, and how many seconds each took."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]
    imported: dict[str, list[int]]
    """The lines of each file that ran while modules were imported, too."""

    def tests(self, file: str, first: int, last: int) -> list[str]:
        """The tests that run one of these lines, quickest first."""
        by_line = self.lines.get(file, {})
        found = {test for line in range(first, last + 1) for test in by_line.get(line, ())}
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def leave_out(self, test: str) -> None:
        """It can judge nothing."""
        for by_line in self.lines.values():
            for tests in by_line.values():
                if test in tests:
                    tests.remove(test)


def find_out(tests: Iterable[str]) -> Covering:
    """Run these test files as the tree stands. A test that fails can judge nothing: it is printed, and left out.

    Raise `RuntimeError` where the run itself fails.
    """
    with tempfile.TemporaryDirectory(prefix="bearward-covering-") as place:
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:randomly", "-p", "no:cacheprovider"]
        environment = {**os.environ, **HERE, PLACE: place}
        done = subprocess.run(
            [*command, "-p", "tools.mutation.covering", *tests],
            cwd=TOP, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in (PASSED, FAILED):
            raise RuntimeError(f"the tests could not be run:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return _together(json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(place).iterdir()))


def _together(parts: Iterable[dict[str, Any]]) -> Covering:
    whole = Covering({}, {}, {})
    for part in parts:
        whole.seconds.update(part["seconds"])
        failed = set(part["failed"])
        for test in sorted(failed):
            print(f"fails as the tree stands: {test}", flush=True)
        for file, by_line in part["lines"].items():
            lines = whole.lines.setdefault(file, {})
            for line, tests in by_line.items():
                lines.setdefault(int(line), []).extend(test for test in tests if test and test not in failed)
                if "" in tests:
                    whole.imported.setdefault(file, []).append(int(line))
    return whole


_coverage = coverage.Coverage(data_file=None, config_file=False, include=[str(TOP / name / "*") for name in PACKAGES])
if PLACE in os.environ:  # before anything of ours is imported
    _coverage.start()


class _Recorder:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._seconds: dict[str, float] = {}
        self._failed: list[str] = []
        self._coverage = _coverage

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {str(Path(file).relative_to(TOP)): data.contexts_by_lineno(file) for file in data.measured_files()}
        said = json.dumps({"lines": lines, "seconds": self._seconds, "failed": self._failed})
        (self._place / f"{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}.json").write_text(said, encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """In a process that runs tests itself."""
    place = os.environ.get(PLACE)
    if place and (hasattr(config, "workerinput") or not config.getoption("numprocesses", None)):
        config.pluginmanager.register(_Recorder(Path(place)))
