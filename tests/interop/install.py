"""Set up what `make interop` runs: its own environment, with the pinned software of others.

Rules of this file: standard library alone. What cannot be installed is left out, and the rows that need it say so.
Nothing outside the environment is touched, except that Debian's packages are installed where we are root.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from tests.interop import manifest  # noqa: E402  (the path stands above)

INPUTS = ("requirements.txt", "constraints.txt", "package.json", "package-lock.json", "install.py")
PIP = (str(manifest.PYTHON), "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-compile")


def main() -> int:
    """Set up, or find that all is set up; the exit code is 0 unless our own part cannot be installed."""
    manifest.HOME.mkdir(parents=True, exist_ok=True)
    with (manifest.HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as beside:
            beside.submit(_debian)  # waits for the network, as pip does
            return _environment()


def _environment() -> int:
    ready, wanted = manifest.HOME / "ready", _fingerprint()
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return 0
    ready.unlink(missing_ok=True)
    if not _ourselves():
        return 1
    complete = _pypi()
    # Only a child of the new environment sees its Node.
    if _run(str(manifest.PYTHON), __file__, "--npm") and complete:
        ready.write_text(wanted, encoding="utf-8")
    return 0


def _fingerprint() -> str:
    files = [TOP / "pyproject.toml", TOP / "constraints.txt", *(manifest.HERE / name for name in INPUTS)]
    digest = hashlib.sha256(f"{TOP} {sys.version}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _ourselves() -> bool:
    """The project, as its constraints pin it, with what its samples need."""
    if not manifest.PYTHON.exists():
        venv.create(manifest.HOME / "venv", with_pip=True, clear=True)
    pip = (*PIP, "-c", "constraints.txt")
    # first a pip that knows dependency groups
    return _run(*pip, "pip") and _run(*pip, "-e", ".[grpc-status,sanic]", "--group", "samples")


def _pypi() -> bool:
    """All at once; if that fails, one by one, so that one peer's trouble is not another's."""
    pip = (*PIP, "-c", str(manifest.HERE / "constraints.txt"))
    if _run(*pip, "-r", str(manifest.HERE / "requirements.txt")):
        return True
    lines = (manifest.HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            _run(*pip, line)
    return False


def _npm() -> bool:
    """What the lock file says, by version and checksum; no scripts of packages."""
    folder = manifest.HOME / "node"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(manifest.HERE / name, folder)
    if not manifest.NODE.is_file():
        return False
    # Node's cache of compiled code would stay behind in the machine's temporary folder.
    more = {"PATH": f"{manifest.NODE.parent}:{os.environ['PATH']}", "NODE_DISABLE_COMPILE_CACHE": "1"}
    environment = os.environ | more
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
    return _run(str(manifest.NODE), str(manifest.NPM), "ci", *flags, cwd=folder, env=environment)


def _debian() -> None:
    pins = {name.partition(":")[2]: pin for name, pin in manifest.pinned().items() if name.startswith("debian:")}
    missing = [f"{name}={pin}" if pin != "*" else name for name, pin in pins.items() if not _installed(name)]
    if not missing or not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
    _run("apt-get", "update", "-qq", env=environment)
    if not _run(*apt, *missing, env=environment):
        for package in missing:
            _run(*apt, package, env=environment)


def _installed(name: str) -> bool:
    return manifest.find(f"debian:{name}").usable


def _run(*command: str, cwd: Path = TOP, env: dict[str, str] | None = None) -> bool:
    """Run to the end; on failure say what failed, and go on."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(f"could not: {' '.join(command[:6])} …\n{done.stderr[-600:]}\n")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main() if "--npm" not in sys.argv else not _npm())
