"""The two tiers: the quick one leaves out what is marked, says how much, and nothing is ever left out of the other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
PROGRAM = """
import os, pytest

def test_at_once():
    assert os.environ["BEARWARD_PROPERTIES"] == "{tier}"

@pytest.mark.thorough
@pytest.mark.parametrize("number", range(3))
def test_at_length(number):
    pass
"""


@pytest.mark.thorough
@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize(("tier", "passed", "left_out"), [("quick", 1, 3), ("thorough", 4, 0)])
def test_run_reports_what_it_left_out(processes: str, tier: str, passed: int, left_out: int, tmp_path: Path) -> None:
    """In one process as in several, the last lines name the tier, the time and the number of tests left out."""
    (tmp_path / "test_two.py").write_text(PROGRAM.format(tier=tier))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers = thorough\npythonpath = {TOP}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.tiers", "-n", processes, "--tier", tier]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TOP), "PYTHONWARNINGS": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    said = f"{left_out} tests of the second tier left out" if left_out else "no tier left out"
    assert re.search(rf"^tier {tier}: \d+ s; {said}", done.stdout, re.MULTILINE)


def test_check_runs_both_tiers_and_test_the_quick_one() -> None:
    """`make test` asks for the quick tier; `make check`, which `.ci/run` calls, leaves none out."""
    makefile = (TOP / "Makefile").read_text()
    recipes = dict(re.findall(r"^([a-z-]+):[^\n]*\n\t([^\n]*)", makefile, re.MULTILINE))
    assert "--tier quick" in recipes["test"]
    assert "--tier" not in recipes["test-all"]
    assert re.search(r"^check: .*\btest-all\b", makefile, re.MULTILINE)
    assert re.search(r"^\s*make .*\bcheck\b", (TOP / ".ci" / "run").read_text(), re.MULTILINE)
