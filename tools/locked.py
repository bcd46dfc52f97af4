"""`make locked`: an environment of what `requirements.lock` names, octet for octet, and the built wheel at work in it.

Rules of this file: nothing is installed whose hash is not in the lock, but for the wheel of this tree. The build backends
come first, from the lock too: for a package that comes as source, pip would fetch one that nobody pinned. It runs on the
Python that the machine has, before anything is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.release.lock_file import LOCK, entries

TOP = Path(__file__).resolve().parent.parent
PLACE = TOP / ".cache" / "locked"
PYTHON = PLACE / "bin" / "python"
BACKENDS = {"hatchling", "setuptools"}
SMOKE = ("tests/test_readme.py", "tests/test_example_services.py", "--tier", "quick")


def main() -> int:
    """Install, check, and run the examples (or what the arguments say) on it; the exit code is that of the tests."""
    run(sys.executable, "-m", "venv", "--clear", PLACE)
    backends = PLACE / "backends.txt"
    backends.write_text("".join(f"{entry[0]}\n" for entry in entries() if entry["name"] in BACKENDS))
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-deps")
    for file in (backends, LOCK):
        run(*pip, "--require-hashes", "--no-build-isolation", "--requirement", file)
    run(PYTHON, "-m", "build", "--wheel", "--no-isolation", "--outdir", PLACE / "dist")
    run(*pip, "--no-index", *(PLACE / "dist").glob("*.whl"))
    run(PYTHON, "-m", "pip", "check")
    print(f"installed by hash: {sum(1 for _ in entries())} packages, and the wheel", flush=True)
    return subprocess.run([PYTHON, "-m", "pytest", *(sys.argv[1:] or SMOKE)], cwd=TOP, check=False).returncode


def run(*command: str | Path) -> None:
    """Run to the end, or raise `CalledProcessError`."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    subprocess.run(command, cwd=TOP, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
