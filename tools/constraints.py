"""Write `constraints.txt`: what a fresh resolve of everything gives today, as names and versions.

Rules of this file: the versions come from a real install into its own environment, never from this one; no
line holds an address, so the file works with whatever registry the reader's pip is set to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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
        run(python, "-m", "pip", "install", "-qq", *EVERYTHING)
        listed = run(python, "-m", "pip", "list", "--format", "json", "--exclude", "bearward")
    pins = sorted(f"{dist['name'].lower()}=={dist['version']}" for dist in json.loads(listed))
    (TOP / "constraints.txt").write_text(HEAD + "\n".join(pins) + "\n")


def run(*command: str | Path) -> str:
    """What the command prints."""
    return subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
