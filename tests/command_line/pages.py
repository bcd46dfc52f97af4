"""Pages whose shell blocks are run, and whose text blocks say what comes out.

Rules of this file: a block of `sh` is run by bash as it stands; each line of the block of `text` after it must be a line
of the output, where `...` stands for anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.command_line.process import TIMEOUT, environment

__all__ = ["PORT", "TOP", "Example", "differences", "examples"]

TOP = Path(__file__).parents[2]
PORT = "127.0.0.1:9000"
"""Where the pages have the issuer."""
_BLOCK = re.compile(
    r"^## (?P<heading>[^\n]+)$|^```sh\n(?P<script>(?:(?!```).)*)```\n+```text\n(?P<said>.*?)^```",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Example:
    """A script of a page, and the lines that it prints."""

    heading: str
    script: str
    said: tuple[str, ...]


def examples(page: str) -> list[Example]:
    """The examples of a page, each below its heading."""
    found, heading = [], ""
    for match in _BLOCK.finditer((TOP / "docs" / page).read_text()):
        if match["heading"]:
            heading = match["heading"].strip()
        else:
            found.append(Example(heading, match["script"], tuple(match["said"].splitlines())))
    return found


def differences(example: Example, variables: Mapping[str, str], address: str) -> list[str]:
    """The lines of an example that its script does not print, and all that it does print; none where it is right."""
    tools = Path(sys.executable).parent
    env = environment({**variables, "PATH": f"{tools}:/usr/bin:/bin", "PYTHONPATH": str(TOP)})
    ended = subprocess.run(
        ["bash", "-c", example.script], env=env, cwd=TOP, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    printed = (ended.stdout + ended.stderr).replace(address, PORT)
    missing = [line for line in example.said if not re.search(_pattern(line), printed, re.MULTILINE)]
    return [*missing, "--- printed:", *printed.splitlines()] if missing else []


def _pattern(line: str) -> str:
    return "^" + ".*".join(re.escape(part) for part in line.split("...")) + "$"
