"""`make lock`: write `requirements.lock`, the names, versions and hashes of everything that continuous integration uses.

Rules of this file: the versions are those of `constraints.txt`; the hashes are those of the files that pip would install
on this platform, with each Python that the classifiers name; what not every release of these needs has a marker that
says which. No line holds an address.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tools.release.lock_file import LOCK
from tools.release.needs import BESIDE, GROUPS, RELEASES, marker, needed, pythons

TOP = Path(__file__).resolve().parents[2]
CONSTRAINTS = TOP / "constraints.txt"
HEAD = """\
# Names, versions and hashes of what the tests run with, on CPython {pythons}, {system}: `make lock` writes this file.
# `make locked` installs from it, and nothing else.
"""
WHAT = (".[all]", *(part for group in GROUPS for part in ("--group", group)), BESIDE)

Report = Mapping[str, Mapping[str, Any]]
"""What pip would install, by canonical name."""


def main() -> None:
    """Resolve, without installing, until every release of Python has what it needs; then write."""
    found = _resolved()
    releases = _needed_on(found)
    versions = {name: str(item["metadata"]["version"]) for name, item in found.items()}
    hashes = {name: set[str]() for name in releases}
    for python in pythons():
        pins = [f"{name}=={versions[name]}" for name in releases if any(_is_of(one, python) for one in releases[name])]
        for name, item in _report("--no-deps", "--python-version", python, "--target", "unused", *pins).items():
            hashes[name].add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = (_entry(name, versions[name], marker(releases[name]), hashes[name]) for name in sorted(releases))
    system = f"{platform.system()} {platform.machine()}"
    LOCK.write_text(HEAD.format(pythons=", ".join(pythons()), system=system) + "".join(lines), encoding="utf-8")


def constrained() -> dict[str, str]:
    """What `constraints.txt` pins: versions by name."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in lines if "==" in line)
    }


def _resolved() -> Report:
    """What is installed here, and what another release of Python needs beside it."""
    found: Report = {}
    absent: Iterable[str] = ()
    while not found or absent:
        found = _report(*WHAT, *absent)
        absent = sorted(_needed_on(found).keys() - found.keys())
    return found


def _needed_on(found: Report) -> dict[str, list[str]]:
    """The releases of Python that need a package, for each that one needs."""
    metadata = {name: item["metadata"].get("requires_dist", ()) for name, item in found.items()}
    releases: dict[str, list[str]] = {}
    for release in RELEASES:
        for name in needed(metadata, release):
            releases.setdefault(name, []).append(release)
    return releases


def _report(*arguments: str) -> Report:
    """What pip would install for these arguments."""
    with tempfile.TemporaryDirectory(prefix="bearward-lock-") as place:
        report = Path(place) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
        options = ["--no-build-isolation", "--report", str(report), "--constraint", str(CONSTRAINTS)]
        subprocess.run([*command, *options, *arguments], cwd=TOP, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    items = {str(canonicalize_name(item["metadata"]["name"])): item for item in found}
    items.pop("bearward", None)
    return items


def _is_of(release: str, python: str) -> bool:
    return release.rpartition(".")[0] == python


def _entry(name: str, version: str, condition: str, hashes: Iterable[str]) -> str:
    parts = [f"{name}=={version}" + (f" ; {condition}" if condition else "")]
    return " \\\n    ".join([*parts, *(f"--hash=sha256:{digest}" for digest in sorted(hashes))]) + "\n"


if __name__ == "__main__":
    main()
