"""Every block of `docs/testing.md` runs, as the file that it says it is, by the plugin as a user has it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

TOP = Path(__file__).parents[1]
PAGE = (TOP / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r"^```\w+ ([\w./]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
TESTS = sorted(name for name in FILES if name.startswith("test_") and name != "test_policy.py")
APPROVED = sorted(name for name in FILES if name.startswith("policies/"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that holds what the page shows, without what is approved."""
    place = tmp_path_factory.mktemp("project")
    (place / "pytest.ini").write_text("[pytest]\naddopts = -p bearward_pytest -p no:cacheprovider -p no:randomly\n")
    for name, text in FILES.items():
        if name not in APPROVED:
            (place / name).write_text(text)
    return place


def test_page_has_no_block_without_a_name() -> None:
    """A block that no test runs would be one that may be wrong."""
    assert len(re.findall(r"^```\w", PAGE, re.MULTILINE)) == len(FILES)
    assert len(TESTS) >= 10


@pytest.mark.parametrize("package", ["sanic-testing", "grpcio-testing", "anyio"])
def test_page_says_what_its_blocks_need(package: str) -> None:
    """A reader who has the wheel and pytest alone is told what else the examples import."""
    assert package.replace("grpcio", "grpc").replace("-", "_") in "".join(FILES.values())
    assert re.search(rf"`pip install pytest [^`]*\b{package}\b", PAGE)


@pytest.fixture(scope="module")
def outcomes(project: Path) -> str:
    """What two runs report: a client of sanic-testing leaves traces on an application that another does not expect."""
    apart = "test_clients.py"
    runs = (apart,), (name for name in TESTS if name != apart)
    return "\n".join(_pytest(project, "-rA", "--tb=short", "--show-capture=no", *names).stdout for names in runs)


@pytest.mark.parametrize("name", TESTS)
def test_block_passes(outcomes: str, name: str) -> None:
    """Each file of tests passes as it stands, beside the others."""
    assert f"PASSED {name}::" in outcomes, outcomes
    assert f"FAILED {name}" not in outcomes, outcomes
    assert f"ERROR {name}" not in outcomes, outcomes


def test_policy_fails_until_it_is_approved(project: Path) -> None:
    """The first run fails and says what to do; the approved table is the one of the page; a change shows as one line."""
    first = _pytest(project, "test_policy.py")
    assert first.returncode == 1
    assert "no one has approved who may call what" in first.stdout
    assert _pytest(project, "test_policy.py", "--bearward-update").returncode == 0
    for name in APPROVED:
        assert (project / name).read_text() == FILES[name]
    assert _pytest(project, "test_policy.py").returncode == 0
    opened = FILES["orders.py"].replace('@requires(scope("orders:write"))', "@public")
    (project / "orders.py").write_text(opened)
    try:
        changed = _pytest(project, "test_policy.py")
    finally:
        (project / "orders.py").write_text(FILES["orders.py"])
    assert changed.returncode == 1
    assert "-401        403       403          ok            POST /orders" in changed.stdout
    assert "+ok         ok        ok           POST /orders (orders.add): public" in changed.stdout


def _pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
