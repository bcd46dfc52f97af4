"""`.cache/interop/venv/bin/python -m tests.interop.pin`: write down what came along with the pinned peers.

What the peers depend on is pinned in `constraints.txt` (but for what the project's own names) and in `package-lock.json`, by name,
version and checksum. Neither holds an address to download from: that is the client's own setting.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.interop.manifest import HERE, NODE, NPM, TOP, pinned

__all__ = ["main"]

_HEAD = "# What the peers of requirements.txt came with. Written by `python -m tests.interop.pin`.\n"


def main() -> None:
    """Write both files anew, from what is installed and from what npm resolves."""
    (HERE / "constraints.txt").write_text(_HEAD + "".join(f"{line}\n" for line in _python()), encoding="utf-8")
    (HERE / "package-lock.json").write_text(json.dumps(_node(), indent=1) + "\n", encoding="utf-8")


def _python() -> list[str]:
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True, check=True
    )
    known = _ours() | {_name(peer.partition(":")[2]) for peer in pinned()}
    return [line for line in frozen.stdout.splitlines() if "==" in line and _name(line.partition("==")[0]) not in known]


def _ours() -> set[str]:
    """What `install.py` sets up for us, whose versions the project's own constraints pin."""
    groups = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    found = _needed_by("bearward", {"grpc-status", "sanic"})
    for line in groups["samples"]:
        needed = Requirement(line)
        found |= {_name(needed.name)} | _needed_by(needed.name, needed.extras)
    return found


def _needed_by(project: str, extras: set[str]) -> set[str]:
    """Everything that the project brings by itself: its own constraints pin that."""
    found: set[str] = set()
    for line in metadata.requires(project) or ():
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            known = wanted.name == project or _name(wanted.name) in found
            found |= (
                set() if known and not wanted.extras else {_name(wanted.name)} | _needed_by(wanted.name, wanted.extras)
            )
    return found


def _name(text: str) -> str:
    """As PyPI compares names."""
    return re.sub(r"[-_.]+", "-", text).lower()


def _node() -> dict[str, object]:
    flags = ("--package-lock-only", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "package.json").write_bytes((HERE / "package.json").read_bytes())
        environment = os.environ | {"PATH": f"{NODE.parent}:{os.environ['PATH']}"}
        subprocess.run([NODE, NPM, "install", *flags], cwd=folder, env=environment, check=True, capture_output=True)
        lock: dict[str, object] = json.loads(Path(folder, "package-lock.json").read_bytes())
    packages = lock["packages"]
    assert isinstance(packages, dict)
    for package in packages.values():
        package.pop("funding", None)
    return lock


if __name__ == "__main__":
    main()
