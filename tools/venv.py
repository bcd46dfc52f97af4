"""Make `.venv` right, and do nothing if it is right already.

Rules of this file: it runs on the Python that the machine has, before anything is installed, so it uses the standard
library alone. `.venv/ready` is written last and taken away first: where it is missing, an earlier set-up was cut
short and the environment is made again; where it says what this tree wants, there is nothing to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VENV = TOP / ".venv"
READY = VENV / "ready"
PYTHON = VENV / "bin" / "python"
INPUTS = ("constraints.txt", "tools/venv.py")  # and of pyproject.toml, what is not a tool's own configuration
OURS = ("core", "grpc_adapter", "sanic_adapter", "samples")
OLDEST = (3, 11)


def main() -> int:
    """Set up; the exit code is 0, or 1 with one line that says what to do."""
    if sys.version_info[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        print(f"bearward needs Python {oldest} or newer: make PYTHON=python{oldest} …", file=sys.stderr)
        return 1
    with (TOP / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds it done
        wanted = fingerprint()
        if PYTHON.exists() and held() == wanted:
            return 0
        try:
            set_up(anew=not PYTHON.exists() or held()[:1] != wanted[:1])
        except subprocess.CalledProcessError as error:
            print(f"set-up failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
            return 1
        READY.write_text("\n".join(wanted))
    return 0


def fingerprint() -> list[str]:
    """What `.venv` depends on: where the tree is (scripts hold it) and which Python; then what is to be installed."""
    import tomllib  # here, so that an older Python gets as far as the line that says it is too old

    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    tools = project.pop("tool")
    digest = hashlib.sha256(repr((project, tools["hatch"])).encode())
    for name in INPUTS:
        digest.update((TOP / name).read_bytes())
    return [f"{TOP} {sys.base_prefix} {sys.hexversion:x}", digest.hexdigest()]


def held() -> list[str]:
    """The fingerprint that `.venv` was made for; empty if it was never finished."""
    return READY.read_text().splitlines() if READY.is_file() else []


def set_up(*, anew: bool) -> None:
    """Install the project, editable, with all extras and the tools of development."""
    print("setting up .venv (once) …", flush=True)
    READY.unlink(missing_ok=True)
    if anew:
        run(sys.executable, "-m", "venv", "--clear", VENV)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--constraint", "constraints.txt")
    # a pip that knows dependency groups; the build backends of ours and of what comes as source, pinned as the rest
    run(*pip, "pip", "hatchling", "editables", "setuptools")
    run(*pip, "--no-build-isolation", "--editable", ".[all]", "--group", "dev")
    # pip compiles what it installs, and not what it links to; where PYTHONDONTWRITEBYTECODE is set, nobody else would
    run(PYTHON, "-m", "compileall", "-q", *(name for name in OURS if (TOP / name).is_dir()))


def run(*command: str | Path) -> None:
    """Run to the end, or raise `CalledProcessError`."""
    subprocess.run(command, cwd=TOP, check=True)


if __name__ == "__main__":
    sys.exit(main())
