"""Mutants in forked children: a plugin of pytest that has imported everything once, and changes it anew for each.

Rules of this file: the process that collected the tests never runs one. A child changes the functions of its own memory, runs
the tests that run the changed lines, quickest first, and says how that ended. What it started ends with its process group.
Who cannot be changed in place, or whom the tests of those lines do not notice although the function also ran while its
module was imported, is left to a copy of the tree (`stateful.py`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.mutation.files import HERE, TOP
from tools.mutation.in_place import NotInPlaceError, put_in_place
from tools.mutation.mutant import KILLED, SURVIVED, TIMED_OUT, UNTESTED

__all__ = ["ELSEWHERE", "PLAN", "Plan", "change_in_forks"]

ELSEWHERE = "elsewhere"
"""Of a mutant that has to be judged on a copy of the tree."""

PLAN = "BEARWARD_MUTATION_PLAN"
"""The environment variable with the file of what to do."""
AT_ONCE = 2
ENDED = {0: SURVIVED, 1: KILLED, 2: ELSEWHERE}


@dataclass(frozen=True)
class Plan:
    """What one child does: the file and its text before and after (None: as it stands), the tests, and seconds to wait."""

    path: str
    before: str
    after: str | None
    tests: list[str]
    patience: float
    whole: bool = False
    """Run on where a test fails."""


def change_in_forks(plans: Sequence[Plan], tests: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Carry these plans out in children of one process that collects `tests`.

    The number of each as it ends, how it ended, and the tests that failed.

    Raise `RuntimeError` where that process fails.
    """
    with tempfile.TemporaryDirectory(prefix="bearward-forks-") as folder:
        place = Path(folder) / "plan.json"
        place.write_text(json.dumps([asdict(plan) for plan in plans]), encoding="utf-8")
        (said := Path(f"{place}.out")).touch()
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "tools.mutation.forks", *tests]
        unwanted = [f"-pno:{plugin}" for plugin in ("randomly", "cacheprovider", "xdist")]
        (leavings := Path(folder) / "tmp").mkdir()  # a child that is killed removes nothing
        environment = {**os.environ, **HERE, PLAN: str(place), "TMPDIR": str(leavings)}
        with (
            (Path(folder) / "output").open("w+", encoding="utf-8") as output,
            subprocess.Popen([*command, *unwanted], cwd=TOP, env=environment, stdout=output, stderr=output) as process,
            said.open(encoding="utf-8") as lines,
        ):
            yield from _numbered(process, lines)
            output.seek(0)
            printed = output.read()
    if process.returncode != 0:
        raise RuntimeError(f"the tests could not be collected:\n{printed[-3000:]}")


def _numbered(process: subprocess.Popen[bytes], lines: Iterable[str]) -> Iterator[tuple[int, str, list[str]]]:
    """What is written while it runs."""
    ended = False
    while not ended:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            ended = True
        for line in lines:
            number, outcome, failed = json.loads(line)
            yield number, outcome, failed


@dataclass
class _Child:
    number: int
    ends: float
    timed_out: bool = field(default=False)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Instead of the tests: one child a mutant."""
    place = os.environ.get(PLAN)
    if not place:
        return None
    planned: list[dict[str, Any]] = json.loads(Path(place).read_text(encoding="utf-8"))
    items = {item.nodeid: item for item in session.items}
    children: dict[int, _Child] = {}
    for number, one in enumerate(planned):
        while len(children) >= AT_ONCE:
            _reap(children, place)
        if not one["tests"]:
            _told(place, number, UNTESTED)
            continue
        chosen = [items[name] for name in one["tests"] if name in items]
        sys.stdout.flush()
        if (pid := os.fork()) == 0:
            _be_the_child(session, one, chosen, Path(f"{place}.{number}"))
        with suppress(OSError):
            os.setpgid(pid, pid)
        children[pid] = _Child(number, time.monotonic() + one["patience"])
    while children:
        _reap(children, place)
    return True


def _reap(children: dict[int, _Child], place: str) -> None:
    """Wait until one child has ended; those that take too long are ended."""
    while True:
        for pid, child in list(children.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done == 0 and time.monotonic() > child.ends and not child.timed_out:
                child.timed_out = True
                _end(pid)
            if done:
                _end(pid)
                del children[pid]
                code = os.waitstatus_to_exitcode(status)
                # a child that dies otherwise than by its own hand was noticed, too
                _told(place, child.number, TIMED_OUT if child.timed_out else ENDED.get(code, KILLED))
                return
        time.sleep(0.02)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _told(place: str, number: int, outcome: str) -> None:
    said = Path(f"{place}.{number}")
    failed = said.read_text(encoding="utf-8").splitlines() if said.exists() else []
    with Path(f"{place}.out").open("a", encoding="utf-8") as file:
        file.write(json.dumps([number, outcome, failed]) + "\n")


class _Failures:
    """Writes down which tests fail."""

    def __init__(self, said: Path) -> None:
        self._said = said

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._said.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


def _be_the_child(session: pytest.Session, one: dict[str, Any], items: list[pytest.Item], said: Path) -> None:
    """Never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        if one["after"] is not None:
            put_in_place(one["path"], one["before"], one["after"])
        session.config.option.maxfail = 0 if one["whole"] else 1
        session.config.pluginmanager.register(_Failures(said))
        code = _run(session, items)
    except NotInPlaceError:
        code = 2
    finally:
        os._exit(code)


def _run(session: pytest.Session, items: list[pytest.Item]) -> int:
    session.items = items
    try:
        for at, item in enumerate(items):
            following = items[at + 1] if at + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail or session.shouldstop:
                return 1
    finally:
        with suppress(BaseException):
            session._setupstate.teardown_exact(None)  # noqa: SLF001  (pytest has no public name for it)
    return 1 if session.testsfailed else 0
