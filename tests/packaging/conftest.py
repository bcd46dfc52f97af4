"""The built wheel and sdist, and an environment that holds the wheel and what it requires, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.made_once import made_once

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from that sdist: what a release would upload."""

    def build(out: Path) -> None:
        _done(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(TOP))

    return made_once(tmp_path_factory, "dist", build)


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The one wheel."""
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    """The one sdist."""
    (sdist,) = dist.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="session")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and what it requires, from the registry; no extra, and the source tree out of reach."""
    return made_once(tmp_path_factory, "bare", lambda place: _environment(place, str(wheel))) / "bin" / "python"


@pytest.fixture(scope="session")
def python_with_pytest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an environment with the wheel, pytest and what else is named: nothing of the source tree, and no framework."""

    def make(*more: str) -> Path:
        name = "-".join(("with-pytest", *more))
        made = made_once(tmp_path_factory, name, lambda place: _environment(place, str(wheel), "pytest", *more))
        return made / "bin" / "python"

    return make


def _environment(place: Path, *requirements: str) -> None:
    """Nothing is compiled that no test imports."""
    _done(sys.executable, "-m", "venv", "--without-pip", str(place))
    pip = (sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "--disable-pip-version-check")
    _done(*pip, "install", "-qq", "--no-compile", "--constraint", str(TOP / "constraints.txt"), *requirements)


def _done(*command: str) -> None:
    """Run to the end; where it fails (a registry out of reach, too), the test fails with what the command said."""
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
