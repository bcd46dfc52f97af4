"""Run the tests on the lowest versions that `pyproject.toml` allows: a floor that was never tried is a guess.

Rules of this file: the floors are read from `pyproject.toml`; what stands in `BESIDE` are pins that an old release
needs and forgot to say itself. The environment is kept in `.cache/floors` and made again when a floor changes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PLACE = TOP / ".cache" / "floors"
PYTHON = PLACE / "bin" / "python"
BESIDE = ("websockets==14.1",)  # Sanic before 25.3 sends broken frames with websockets 14.2 and newer
FLOOR = re.compile(r"(?P<name>[A-Za-z0-9-]+)(\[[^]]*\])?>=(?P<version>[0-9.]+(?:b[0-9]+)?)")
OLD_WARNINGS = ("-W", "ignore:websockets.connection was renamed:DeprecationWarning")  # Sanic 23.12, of its own import
# Elsewhere: packaging builds and installs for itself, the adapter's tests bring the oldest Sanic with what fits it.
ELSEWHERE = ("tests/packaging", "tests/adapters/sanic")
# Needs the tools of the groups `docs` and `lint`, which are only there to build the site and to look at it.
TOOLS = ("tests/site/test_build.py", "tests/site/test_reference.py", "tests/samples/playground/test_page_care.py")
NOT_HERE = tuple(f"--ignore={path}" for path in (*ELSEWHERE, *TOOLS))


def main() -> int:
    """Set up, say what is installed, test; the exit code is pytest's."""
    pins = floors()
    asked = "\n".join(pins)
    mark = PLACE / "ready"
    if not (mark.is_file() and mark.read_text() == asked):
        set_up(asked)
        mark.write_text(asked)
    print(f"on the lowest versions allowed: {' '.join(pins)}", flush=True)
    command: list[str | Path] = [PYTHON, "-m", "pytest", *OLD_WARNINGS, *NOT_HERE, *sys.argv[1:]]
    return subprocess.run(command, cwd=TOP, check=False).returncode


def floors() -> list[str]:
    """Each requirement of the package, of its extras and of the samples, at its floor."""
    written = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    project, samples = written["project"], written["dependency-groups"]["samples"]
    extras = (line for extra in project["optional-dependencies"].values() for line in extra)
    lines = [*project["dependencies"], *extras, *samples]
    found = [match for line in lines if (match := FLOOR.match(line))]
    return sorted({f"{match['name']}=={match['version']}" for match in found} | set(BESIDE))


def set_up(pins: str) -> None:
    """An environment with the project, editable, and these versions."""
    run(sys.executable, "-m", "venv", "--clear", PLACE)
    constraints = PLACE / "floors.txt"
    constraints.write_text(pins)
    run(PYTHON, "-m", "pip", "install", "-qq", "--upgrade", "pip")
    run(PYTHON, "-m", "pip", "install", "-qq", "-c", constraints, "-e", ".[all]", "--group", "test")


def run(*command: str | Path) -> None:
    """Run to the end, or raise `CalledProcessError`."""
    subprocess.run(command, cwd=TOP, check=True)


if __name__ == "__main__":
    sys.exit(main())
