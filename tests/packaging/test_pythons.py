"""The Pythons that the metadata claim are those that continuous integration runs, and that the lock is made for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tools.release.lock_file import LOCK
from tools.release.needs import PROJECT, pythons

TOP = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((TOP / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def _matrix(job: str) -> list[str]:
    versions: list[str] = WORKFLOW["jobs"][job]["strategy"]["matrix"]["python-version"]
    return versions


def test_every_python_is_tested() -> None:
    """The oldest by everything there is, the newer ones by the quick tier."""
    (setup,) = (step for step in WORKFLOW["jobs"]["everything"]["steps"] if "setup-python" in step.get("uses", ""))
    assert [setup["with"]["python-version"], *_matrix("newer-python")] == pythons()
    assert PROJECT["project"]["requires-python"] == f">={pythons()[0]}"


def test_every_python_is_installed_from_the_lock() -> None:
    """And Debian 12's, an older patch of the oldest, on which more is needed."""
    assert _matrix("locked") == pythons()
    assert WORKFLOW["jobs"]["locked-on-debian"]["steps"][-1]["run"] == "make locked"
    (said,) = re.findall(r"CPython ([\d., ]+), Linux", LOCK.read_text(encoding="utf-8"))
    assert said.split(", ") == pythons()


def test_readme_says_which_pythons() -> None:
    """The first that is supported, and the newest that is tested."""
    assert f"Python {pythons()[0]} to {pythons()[-1]}" in (TOP / "README.md").read_text(encoding="utf-8")
