"""`make api-check`: what changed incompatibly in the public names since the last release, read by griffe.

Rules of this file: only what a public package lists in `__all__` counts, wherever it is defined. Nothing is imported.
Without a release there is nothing to compare with, and the command says so.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import griffe

TOP = Path(__file__).resolve().parents[2]
COLOR = re.compile(r"\x1b\[\d+m")
ROOTS = {
    "bearward": "core",
    "bearward_pytest": "core",
    "bearward_grpc": "grpc_adapter",
    "bearward_sanic": "sanic_adapter",
}


def main() -> int:
    """Print what changed; the exit code is 1 if anything did."""
    last = last_release(TOP)
    if last is None:
        print("no release yet (no tag v*): nothing to compare with")
        return 0
    found = list(changes(TOP, last, ROOTS, facades()))
    print("\n".join(found) or f"nothing changed incompatibly since {last}")
    return 1 if found else 0


def last_release(repository: Path) -> str | None:
    """The newest tag `v…` of an earlier commit; None before the first release. A tag of this one is being released."""
    command = ["git", "tag", "--list", "v*", "--sort=v:refname", "--no-contains", "HEAD"]
    done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.split()[-1] if done.stdout.split() else None


def facades() -> list[str]:
    """The public packages: those that have a page of the reference."""
    return sorted(page.stem for page in (TOP / "docs" / "reference" / "api").glob("*.md"))


def changes(repository: Path, last: str, roots: Mapping[str, str], packages: Sequence[str]) -> Iterator[str]:
    """Each public name of the release `last` that is gone, or that cannot be used any more as it could."""
    with tempfile.TemporaryDirectory(prefix="bearward-release-") as place:
        archive = Path(place) / "tree.tar"
        command = ["git", "archive", "--output", str(archive), last, "--", *roots.values()]
        subprocess.run(command, cwd=repository, check=True)
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)  # Python 3.11.4
            tar.extractall(place)  # noqa: S202  (git made it, of this repository)
        before, now = _loaded(Path(place), roots), _loaded(repository, roots)
        for package in packages:
            yield from _changed(package, _module(before, package), _module(now, package))


def _loaded(tree: Path, roots: Mapping[str, str]) -> griffe.GriffeLoader:
    loader = griffe.GriffeLoader(search_paths=[str(tree / path) for path in roots.values()])
    for root in roots:
        loader.load(root)
    loader.resolve_aliases(implicit=True, external=False)
    return loader


def _changed(package: str, before: griffe.Module | None, now: griffe.Module | None) -> Iterator[str]:
    inherited = {name: set(_target(now, name).all_members) for name in _names(now)}  # while each still knows its bases
    old, new = _exported(package, before), _exported(package, now)
    for name in old.members:
        if name not in new.members:
            yield f"{package}.{name}: was removed"
            continue
        both = [griffe.Module(package, filepath=Path(f"{package}.py")) for _ in range(2)]
        for module, side in zip(both, (old, new), strict=True):
            module.set_member(name, side.members[name])
        for change in griffe.find_breaking_changes(*both):
            said = COLOR.sub("", change.explain(griffe.ExplanationStyle.ONE_LINE)).partition(": ")[2]
            if not (isinstance(change, griffe.ObjectRemovedBreakage) and change.obj.name in inherited[name]):
                yield f"{package}.{name}: {said}"


def _names(module: griffe.Module | None) -> list[str]:
    return [] if module is None else [str(name) for name in module.exports or ()]


def _exported(package: str, module: griffe.Module | None) -> griffe.Module:
    """A module that defines what this one only exports: griffe compares what stands where it is defined."""
    found = griffe.Module(package, filepath=Path(f"{package}.py"))
    for name in _names(module):
        found.set_member(name, _target(module, name))
    return found


def _module(loader: griffe.GriffeLoader, package: str) -> griffe.Module | None:
    try:
        found = loader.modules_collection.get_member(package)
    except KeyError:
        return None  # that release did not have it, or this tree has it not any more
    return found if isinstance(found, griffe.Module) else None


def _target(module: griffe.Module | None, name: str) -> griffe.Object:
    member = None if module is None else module.members[name]
    found = member.final_target if isinstance(member, griffe.Alias) else member
    if not isinstance(found, griffe.Object):
        raise TypeError(name)
    return found


if __name__ == "__main__":
    sys.exit(main())
