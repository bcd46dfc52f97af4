"""`make release-check`: whether this tree can be released, go or no-go, with the reason for each no.

Rules of this file: a check returns why not, or nothing. What cannot be judged is a no-go that says so, never a go. It
changes nothing but `dist/`.
"""

from __future__ import annotations

import email
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bearward import __version__
from tools.release import lock, lock_file, sbom
from tools.release.index_page import repository
from tools.release.interface import ROOTS, changes, facades, last_release
from tools.site.build import build

TOP = Path(__file__).resolve().parents[2]
NOT_ABSOLUTE = re.compile(r"\]\((?!https?://|#)[^)]+\)")


def main() -> int:
    """Judge everything, print a line for each check; the exit code is 0 for go, 1 for no-go."""
    answers = {name: list(check()) for name, check in CHECKS.items()}
    for name, reasons in answers.items():
        print(f"{'no-go' if reasons else 'go':6} {name}" + "".join(f"\n         {reason}" for reason in reasons))
    stopped = [name for name, reasons in answers.items() if reasons]
    print(f"\n{'NO-GO: ' + ', '.join(stopped) if stopped else 'GO'} ({__version__})")
    return 1 if stopped else 0


def clean() -> Iterator[str]:
    """What is released is what is committed."""
    if changed := _git("status", "--porcelain"):
        yield f"{len(changed.splitlines())} files are changed or new: commit them"


def version() -> Iterator[str]:
    """The version is new, and is a release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", __version__):
        yield f"__version__ is {__version__}: a release has three numbers"
    if f"v{__version__}" == last_release(TOP):
        yield f"v{__version__} exists: raise __version__ in core/bearward/__init__.py"


def changelog() -> Iterator[str]:
    """The changelog has a section for the version, with a date, and nothing that waits for a release."""
    text = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE):
        yield f'CHANGELOG.md has no section "## [{__version__}] - YYYY-MM-DD"'
    if re.search(r"^## \[Unreleased\]\n+(?!## )\S", text, re.MULTILINE):
        yield "CHANGELOG.md has entries under Unreleased: move them below the version"


def interface() -> Iterator[str]:
    """What users of the last release import is still there, or the version says that it is not."""
    last = last_release(TOP)
    if last is None or _minor(last) != _minor(f"v{__version__}"):
        return  # the first release breaks nobody, and a minor version below 1.0 may
    if changed := list(changes(TOP, last, ROOTS, facades())):
        yield f"{len(changed)} public names changed since {last}: raise the minor version, or restore them"
        yield from changed


def addresses() -> Iterator[str]:
    """The project has a public address, from which its URLs and the links of its index page follow."""
    if not repository():
        yield "[tool.bearward] repository in pyproject.toml is empty: without it an index page leads nowhere"


def artifacts() -> Iterator[str]:
    """Wheel and sdist are built, and their page on an index works."""
    done = subprocess.run(["make", "-s", "build"], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"make build failed: {done.stderr.strip().splitlines()[-1:]}"
        return
    (wheel,) = (TOP / "dist").glob("*.whl")
    yield from index_page(wheel)


def index_page(wheel: Path) -> Iterator[str]:
    """The description in the wheel is what an index shows: its links must be absolute."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    description = str(email.message_from_bytes(archive.read(name)).get_payload())
    if relative := NOT_ABSOLUTE.findall(description):
        yield f"{len(relative)} links of the description are relative, the first: {relative[0]}"


def bill() -> Iterator[str]:
    """The bill of materials can be written, and each statement of the VEX is about something in it."""
    if sbom.main():
        yield "no bill of materials"
        return
    (path,) = (TOP / "dist").glob("*.cdx.json")
    names = {component["name"] for component in json.loads(path.read_text(encoding="utf-8"))["components"]}
    vex = json.loads((TOP / "security" / "openvex.json").read_text(encoding="utf-8"))
    for statement in vex["statements"]:
        for part in statement["products"][0]["subcomponents"]:
            if (name := part["@id"].removeprefix("pkg:pypi/")) not in names:
                yield f"security/openvex.json speaks of {name}, which the wheel does not install any more"


def locked() -> Iterator[str]:
    """The lock with hashes has the versions of the constraints."""
    held, wanted = lock_file.locked(), lock.constrained()
    apart = sorted(name for name in held.keys() | (wanted.keys() - {"pip"}) if held.get(name) != wanted.get(name))
    if apart:
        yield f"requirements.lock and constraints.txt differ in {', '.join(apart[:5])}: make constraints, make lock"


def documentation() -> Iterator[str]:
    """The site builds."""
    yield from build(TOP / ".cache" / "site")


def _minor(tag: str) -> list[str]:
    return tag.removeprefix("v").split(".")[:2]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=TOP, check=True, capture_output=True, text=True).stdout.strip()


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "everything is committed": clean,
    "version": version,
    "changelog": changelog,
    "public interface": interface,
    "addresses of the project": addresses,
    "lock with hashes": locked,
    "documentation": documentation,
    "wheel, sdist, index page": artifacts,
    "bill of materials and VEX": bill,
}

if __name__ == "__main__":
    sys.exit(main())
