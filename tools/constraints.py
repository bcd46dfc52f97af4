"""Write `constraints.txt`: what a fresh resolve of everything gives today, as names and versions.

Rules of this file: the versions come from a real install into its own environment, never from this one, with what other
releases of Python need beside it; no line holds an address, so the file works with whatever registry the reader's pip is
set to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tools.release.needs import RELEASES, needed

TOP = Path(__file__).resolve().parent.parent
EVERYTHING = ("--editable", ".[all]", "--group", "dev", "--group", "bench", "editables")
HEAD = """\
# The versions that the tests run with: `make constraints` writes this file from a fresh resolve.
# They bind development, never the users of the package: its own floors and ceilings are in pyproject.toml.
"""


def main() -> None:
    """Resolve and write."""
    with tempfile.TemporaryDirectory(prefix="bearward-constraints-") as place:
        python = Path(place) / "bin" / "python"
        run(sys.executable, "-m", "venv", place)
        run(python, "-m", "pip", "install", "-qq", "--upgrade", "pip")
        install = (python, "-m", "pip", "install", "-qq")
        run(*install, *EVERYTHING)
        while absent := _needed_elsewhere(json.loads(run(python, "-m", "pip", "inspect"))["installed"]):
            run(*install, *absent)
        listed = run(python, "-m", "pip", "list", "--format", "json", "--exclude", "bearward")
    pins = sorted(f"{dist['name'].lower()}=={dist['version']}" for dist in json.loads(listed))
    (TOP / "constraints.txt").write_text(HEAD + "\n".join(pins) + "\n")


def _needed_elsewhere(installed: list[dict[str, Any]]) -> list[str]:
    """What some release of Python needs, and this one does not."""
    metadata = {
        str(canonicalize_name(one["metadata"]["name"])): one["metadata"].get("requires_dist", ()) for one in installed
    }
    return sorted({name for release in RELEASES for name in needed(metadata, release)} - metadata.keys())


def run(*command: str | Path) -> str:
    """What the command prints."""
    return subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
