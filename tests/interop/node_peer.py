"""Programs in JavaScript, run by the pinned Node with the pinned packages.

Rule of this file: a program imports its packages by name, so it is copied to where they are installed; what it serves
or finds it prints.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from tests.interop import manifest
from tests.interop.processes import Process
from tests.interop.sheet import Sheet

__all__ = ["node", "node_report"]


def node(sheet: Sheet, program: str, *arguments: str, name: str = "") -> Process:
    """Start `program`, a path in this folder."""
    source = manifest.HERE / program
    copy = manifest.HOME / "node" / source.name
    shutil.copy(source, copy)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    command = [str(manifest.NODE), "--no-warnings", str(copy), *arguments]
    return sheet.start(Process(name or source.stem, command, sheet.folder, env=environment))


def node_report(sheet: Sheet, program: str, *arguments: str, name: str = "") -> Any:
    """Run a program to its end, and answer the JSON that it printed last."""
    process = node(sheet, program, *arguments, name=name)
    if process.wait() != 0:
        raise RuntimeError(f"{program} failed: {process.output()[-800:]}")
    return json.loads(process.output().strip().splitlines()[-1])
