"""`make lock`: write `requirements.lock`, the names, versions and hashes of everything that continuous integration uses.

Rules of this file: the versions are those of `constraints.txt`; the hashes are those of the files that pip would install
here, so the lock is for one Python and one platform, which its head names. No line holds an address.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LOCK = TOP / "requirements.lock"
CONSTRAINTS = TOP / "constraints.txt"
HEAD = """\
# Names, versions and hashes of what the tests run with, on {python}, {system}: `make lock` writes this file.
# pip install --require-hashes --requirement requirements.lock; then pip install --no-deps --no-build-isolation --editable .
"""
WHAT = (".[all]", "--group", "dev", "--group", "bench", "editables")


def main() -> None:
    """Resolve once, without installing, and write."""
    with tempfile.TemporaryDirectory(prefix="bearward-lock-") as place:
        report = Path(place) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
        options = ["--no-build-isolation", "--report", str(report), "--constraint", str(CONSTRAINTS)]
        subprocess.run([*command, *options, *WHAT], cwd=TOP, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    lines = sorted(_line(item) for item in found if item["metadata"]["name"].lower() != "bearward")
    python = f"CPython {sys.version_info.major}.{sys.version_info.minor}"
    system = f"{platform.system()} {platform.machine()}"
    LOCK.write_text(HEAD.format(python=python, system=system) + "".join(lines), encoding="utf-8")


def locked() -> dict[str, str]:
    """What the lock holds: versions by name."""
    pairs = re.findall(
        r"^([a-z0-9.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}$", LOCK.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(pairs)


def constrained() -> dict[str, str]:
    """What `constraints.txt` pins: versions by name."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return {canonical(name): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}


def canonical(name: str) -> str:
    """The name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _line(item: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    metadata = item["metadata"]
    digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{canonical(str(metadata['name']))}=={metadata['version']} --hash=sha256:{digest}\n"


if __name__ == "__main__":
    main()
