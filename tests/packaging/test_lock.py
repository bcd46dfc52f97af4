"""`requirements.lock` is enough on every release of Python that is supported, and its markers say what is needed where."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tools.release import check, lock_file
from tools.release.needs import RELEASES, marker, needed, pythons

INSTALLED = {str(canonicalize_name(one.name)): tuple(one.requires or ()) for one in metadata.distributions()}


@pytest.mark.parametrize("release", ["3.11.2", "3.11.9", "3.12.0", "3.13.0"])
def test_lock_has_what_a_release_of_python_needs(release: str) -> None:
    """What the packages themselves ask for there, patch by patch, stands in the lock with a marker that holds there."""
    there = {"python_full_version": release, "python_version": release.rpartition(".")[0]}
    held = {
        entry["name"] for entry in lock_file.entries() if not entry["marker"] or Marker(entry["marker"]).evaluate(there)
    }
    assert needed(INSTALLED, release) - held == set()


def test_what_an_older_patch_needs_is_installed_nowhere_else() -> None:
    """On 3.11.2 redis and valkey need a package of their own (its place was taken by asyncio in 3.11.3)."""
    markers = {entry["name"]: entry["marker"] for entry in lock_file.entries() if entry["marker"]}
    assert markers == {"async-timeout": 'python_full_version < "3.11.3"'}


@pytest.mark.parametrize(
    ("holds", "condition"),
    [
        ("3.", ""),
        ("3.11.", 'python_full_version < "3.12.0"'),
        ("3.12.", 'python_full_version >= "3.12.0" and python_full_version < "3.13.0"'),
        ("3.13.", 'python_full_version >= "3.13.0"'),
    ],
)
def test_marker_holds_where_it_should(holds: str, condition: str) -> None:
    """Nothing is said where all need a package; what comes after the newest release that is known is like that one."""
    assert marker([release for release in RELEASES if release.startswith(holds)]) == condition


def test_lock_pins_names_versions_and_hashes() -> None:
    """Every package of the lock has a version and a hash, and at most one for each Python; none has an address."""
    text = lock_file.LOCK.read_text(encoding="utf-8")
    found = list(lock_file.entries())
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == sum(entry[0].count("\n") + 1 for entry in found)
    assert len(found) == len(lock_file.locked()) > 100
    assert all(entry[0].count("--hash=") <= len(pythons()) for entry in found)
    assert "://" not in text


def test_lock_and_constraints_agree() -> None:
    """What is pinned in one is pinned in the other, in the same version."""
    assert list(check.locked()) == []


@pytest.mark.thorough
def test_lock_can_be_installed(tmp_path: Path) -> None:
    """Pip takes the files of the registry for those of the lock (those of the runtime; the rest is `make locked`)."""
    names = {"cryptography", "msgspec", "pybase64", "python-jose", "aiocache", "httpcore2", "async-timeout"}
    found = [entry[0] for entry in lock_file.entries() if entry["name"] in names]
    assert len(found) == len(names)
    assert _download(tmp_path, "\n".join(found)) == 0
    assert _download(tmp_path, re.sub(r"sha256:.{4}", "sha256:0000", found[-1])) != 0


def _download(place: Path, text: str) -> int:
    (place / "some.lock").write_text(text + "\n")
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes", "--dest", "."]
    return subprocess.run([*command, "-r", "some.lock"], capture_output=True, check=False, cwd=place).returncode
