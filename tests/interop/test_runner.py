"""The runner itself: what it calls a failure. Rows here are made up; processes are real."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.interop import manifest, processes, ran
from tests.interop.processes import Process
from tests.interop.runner import faults, run
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet
from tests.interop.side_by_side import run_all
from tests.interop.table import Outcome, table


@pytest.fixture(autouse=True)
def _everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers count as installed, but `pypi:absent`."""

    def find(name: str) -> manifest.Peer:
        return manifest.Peer(name, "1.*", None if name == "pypi:absent" else "1.2")

    monkeypatch.setattr(manifest, "find", find)


def _good(sheet: Sheet) -> None:
    sheet.expect("a case", ACCEPTED, [Answer("HTTP", ACCEPTED), Answer("gRPC", ACCEPTED)])


def _wrong(sheet: Sheet) -> None:
    sheet.expect("a case", "token_expired", [Answer("HTTP", "token_expired"), Answer("gRPC", ACCEPTED)])


def _breaks(sheet: Sheet) -> None:
    _good(sheet)
    raise RuntimeError("the peer went away")


def _nothing(sheet: Sheet) -> None:
    """Judge nothing."""


RAN = {"cases": 1, "transports": ["HTTP", "gRPC"], "algorithms": []}
CASES = {
    "all right": (_good, 2, 0),
    "one of two transports is wrong": (_wrong, 1, 1),
    "it breaks after a right verdict": (_breaks, 2, 1),
    "it judges nothing": (_nothing, 0, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_row_passes_only_if_every_verdict_is_right(case: str) -> None:
    """A wrong verdict, a broken row and a row without verdicts each make the run a failure."""
    judge, right, wrong = CASES[case]
    outcome = run(Row("row", "a row", (), judge))
    assert (outcome.sheet.right, len(outcome.wrong)) == (right, wrong)
    assert bool(faults([outcome])) is bool(wrong)


def test_row_that_cannot_be_installed_is_not_passed() -> None:
    """A missing peer is the reason in the table, with no verdicts; a failure only if the row ran before."""
    outcome = run(Row("row", "a row", ("pypi:absent",), _good))
    assert outcome.why_not == "absent 1.* is not installed"
    assert (outcome.sheet.right, outcome.wrong, faults([outcome]), ran.lost([outcome], {}, full=True)) == (
        0,
        [],
        [],
        [],
    )
    assert ran.lost([outcome], {"row": RAN}, full=True) == [
        "row ran before and did not run: absent 1.* is not installed"
    ]
    assert "**not run**" in table([outcome])


@pytest.mark.parametrize(
    ("name", "was", "reason"),
    [
        ("row", {}, None),
        ("other", {}, "other ran before and is gone"),
        ("row", {"cases": 2}, "row ran before with 2 cases, now with 1"),
        ("row", {"transports": ["HTTP", "telex"]}, "row ran before with the transports telex"),
        ("row", {"algorithms": ["ES256"]}, "row ran before with the algorithms ES256"),
    ],
    ids=["the same", "a row is gone", "a case less", "a transport less", "an algorithm less"],
)
def test_run_with_fewer_rows_than_before_fails(name: str, was: dict[str, object], reason: str | None) -> None:
    """Rows, transports, algorithms and cases may be added; a run of some rows by name is checked by those alone."""
    outcome = run(Row("row", "a row", (), _good))
    assert ran.lost([outcome], {name: RAN | was}, full=True) == ([reason] if reason else [])
    assert ran.lost([outcome], {"other": RAN}, full=False) == []


def test_new_runs_are_recorded_beside_earlier_ones(tmp_path: Path) -> None:
    """A run that could not do a row takes nothing away."""
    file = tmp_path / "ran.json"
    assert ran.load(file) == {}
    ran.save(file, [run(Row("row", "a row", (), _good))], {"other": RAN})
    assert ran.load(file) == {"other": RAN, "row": RAN}


def test_stopped_run_stops_what_it_started(tmp_path: Path) -> None:
    """SIGTERM ends the row's processes too."""
    program = tmp_path / "program.py"
    program.write_text(_STARTS_AND_WAITS, encoding="utf-8")
    outer = Process("outer", [sys.executable, program], tmp_path, env=os.environ | {"PYTHONPATH": str(manifest.TOP)})
    inner = int(outer.line("started "))
    os.kill(outer.pid, signal.SIGTERM)
    assert outer.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.killpg(inner, signal.SIGCONT)
    outer.stop()


_STARTS_AND_WAITS = """
import sys, time
from tests.interop import manifest
from tests.interop.processes import Process
from tests.interop.runner import run, stop_when_told
from tests.interop.sheet import Row

manifest.find = lambda name: manifest.Peer(name, "*", "1")


def row(sheet):
    inner = sheet.start(Process("inner", [sys.executable, "-c", "import time; time.sleep(600)"], sheet.folder))
    print("started", inner.pid, flush=True)
    time.sleep(600)


stop_when_told()
run(Row("row", "a row", (), row))
"""


@pytest.mark.thorough
def test_stopped_run_stops_rows_side_by_side(tmp_path: Path) -> None:
    """SIGTERM ends what both workers have started."""
    program = tmp_path / "program.py"
    program.write_text(_STARTS_TWO_AND_WAITS, encoding="utf-8")
    outer = Process("outer", [sys.executable, program], tmp_path, env=os.environ | {"PYTHONPATH": str(manifest.TOP)})
    inner = [int(outer.line(f"{name} started ")) for name in ("one", "two")]
    os.kill(outer.pid, signal.SIGTERM)
    assert outer.wait(60) == 128 + signal.SIGTERM
    for pid in inner:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, signal.SIGCONT)
    outer.stop()


_STARTS_TWO_AND_WAITS = """
import sys, time
from functools import partial
from tests.interop import manifest
from tests.interop.processes import Process
from tests.interop.runner import stop_when_told
from tests.interop.sheet import Row
from tests.interop.side_by_side import run_all

manifest.find = lambda name: manifest.Peer(name, "*", "1")


def row(name, sheet):
    inner = sheet.start(Process("inner", [sys.executable, "-c", "import time; time.sleep(600)"], sheet.folder))
    print(name, "started", inner.pid, flush=True)
    time.sleep(600)


if __name__ == "__main__":
    stop_when_told()
    run_all([Row(name, name, (), partial(row, name)) for name in ("one", "two")])
"""


@pytest.mark.thorough
def test_rows_side_by_side_are_told_of_in_their_order() -> None:
    """The outcomes of the workers are what each row wrote down."""
    rows = [Row("right", "a row", (), _good), Row("wrong", "a row", (), _wrong)]
    assert [outcome.row.name for outcome in run_all(rows)] == ["right", "wrong"]


def test_processes_end_with_their_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a row started is gone when the row is over, and a process that must be killed is told of."""
    monkeypatch.setattr(processes, "_GRACE", 1.0)
    started: list[Process] = []

    def stubborn(sheet: Sheet) -> None:
        program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
        for name, text in (
            ("willing", "print('ready', flush=True); import time; time.sleep(600)"),
            ("stubborn", program),
        ):
            process = sheet.start(Process(name, [sys.executable, "-c", text], sheet.folder))
            process.line("ready")
            started.append(process)
        _good(sheet)

    outcome = run(Row("row", "a row", (), stubborn))
    assert outcome.wrong == ["stubborn had to be killed"]
    for process in started:
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)


def test_table_shows_versions_and_faults() -> None:
    """A row's cells are what it wrote down; a pipe in a note does not end its cell."""

    def noting(sheet: Sheet) -> None:
        sheet.algorithms["ES256"] = None
        sheet.note("one | two")
        _wrong(sheet)

    text = table([run(Row("row", "a row", ("pypi:present",), noting))])
    assert "| a row | present 1.2 | HTTP, gRPC | ES256 | 1 | 1 right, **1 wrong** | one \\| two |" in text


def test_manifest_pins_names_and_versions_without_addresses() -> None:
    """Every peer has a version or a pattern; no line of a manifest holds an address."""
    pins = manifest.pinned()
    assert {"pypi:joserfc", "npm:oidc-provider", "debian:nginx"} <= pins.keys()
    assert all(pins.values())
    for name in ("requirements.txt", "constraints.txt", "debian.txt", "package.json", "package-lock.json"):
        assert "://" not in (manifest.HERE / name).read_text(encoding="utf-8")


def test_unsupported_version_is_rejected() -> None:
    """Another version than the manifest's is as good as none."""
    assert manifest.Peer("pypi:x", "1.2", "1.2").usable
    assert not manifest.Peer("pypi:x", "1.2", "1.3").usable
    assert manifest.Peer("debian:x", "2.7.5-*", "2.7.5-3+deb12u1").usable
    assert manifest.Peer("pypi:x", "1.2", "1.3").why_not == "x is 1.3, not 1.2"


def test_skipped_outcome_has_no_verdicts() -> None:
    """The sums of the table count what ran."""
    row = Row("row", "a row", ("pypi:absent",), _good)
    outcomes: list[Outcome] = [run(row), run(Row("other", "another", (), _good))]
    assert "1 rows ran, 1 did not: 1 cases, 2 verdicts right, 0 wrong." in table(outcomes)


def test_interop_page_matches_the_recorded_run() -> None:
    """`docs/evidence/interop.md` and `ran.json` are committed together, and nothing was wrong."""
    known = ran.load(manifest.HERE / "ran.json")
    cases = sum(row["cases"] for row in known.values())
    page = (manifest.TOP / "docs" / "evidence" / "interop.md").read_text(encoding="utf-8")
    assert re.search(
        rf"^{len(known)} rows ran, 0 did not: {cases} cases, \d+ verdicts right, 0 wrong\.$", page, re.MULTILINE
    )
