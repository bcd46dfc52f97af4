"""What is needed on which Python: the requirements of the project and of what it requires, judged by their markers.

Rules of this file: it installs nothing and asks nobody. A marker is judged for CPython on this platform and for each
release of the Pythons that the classifiers name, down to the patch: a package may be needed on 3.11.2 and not on 3.11.3.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from packaging.dependency_groups import resolve_dependency_groups
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = ("dev", "bench")
BESIDE = "editables"  # what hatchling needs to install this tree editable
PATCHES = 20

Metadata = Mapping[str, Iterable[str]]
"""By canonical name, what a package requires, as it says it."""


def pythons() -> list[str]:
    """The Pythons that the classifiers name, such as `3.11`, the oldest first."""
    found = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.MULTILINE)
    return sorted(found, key=lambda python: int(python[2:]))


RELEASES = tuple(f"{python}.{patch}" for python in pythons() for patch in range(PATCHES))


def needed(metadata: Metadata, release: str) -> set[str]:
    """The canonical names of all that the project, its extras and its groups need on this release of Python."""
    environment = _environment(release)
    found: dict[str, set[str]] = {}
    waiting = list(_asked(_roots(), {""}, environment))
    while waiting:
        name, asked = waiting.pop()
        extras = {"", *asked} - found.setdefault(name, set())
        found[name] |= extras
        waiting += _asked(metadata.get(name, ()), extras, environment)
    return set(found)


def marker(releases: Collection[str]) -> str:
    """The condition that holds on these releases and on no other; empty if it always does."""
    held = [release in releases for release in RELEASES]
    starts = [i for i, here in enumerate(held) if here and not (i and held[i - 1])]
    ends = [i + 1 for i, here in enumerate(held) if here and not (i + 1 < len(held) and held[i + 1])]
    runs = [" and ".join(_bounds(start, end)) for start, end in zip(starts, ends, strict=True)]
    return " or ".join(run for run in runs if run)


def _bounds(start: int, end: int) -> Iterator[str]:
    if start:
        yield f'python_full_version >= "{RELEASES[start]}"'
    if end < len(RELEASES):
        yield f'python_full_version < "{RELEASES[end]}"'


def _roots() -> Iterator[str]:
    own = PROJECT["project"]
    extras = (line for extra in own["optional-dependencies"].values() for line in extra)
    grouped = resolve_dependency_groups(PROJECT["dependency-groups"], *GROUPS)
    return (line for line in (*own["dependencies"], *extras, *grouped, BESIDE) if _parsed(line).name != own["name"])


def _asked(lines: Iterable[str], extras: set[str], environment: Mapping[str, str]) -> Iterator[tuple[str, set[str]]]:
    """What is asked for with these extras, and with which of its own."""
    for requirement in map(_parsed, lines):
        holds = requirement.marker.evaluate if requirement.marker else lambda given: not given["extra"]
        if any(holds({**environment, "extra": extra}) for extra in extras):
            yield str(canonicalize_name(requirement.name)), requirement.extras


@cache
def _parsed(line: str) -> Requirement:
    return Requirement(line)


def _environment(release: str) -> dict[str, str]:
    here = {name: str(value) for name, value in default_environment().items()}
    python = {"python_version": release.rpartition(".")[0], "python_full_version": release}
    cpython = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    return {**here, **python, **cpython, "implementation_version": release}
