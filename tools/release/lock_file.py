"""`requirements.lock`, read: what is pinned, on which Python, by which hashes.

Rules of this file: the standard library alone, since `make locked` reads the lock before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
_PIN = r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+?))?"
_HASHES = r"(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+$"
_ENTRY = re.compile(_PIN + _HASHES, re.MULTILINE)


def entries() -> Iterator[re.Match[str]]:
    """What the lock holds, one package after the other: `name`, `version` and `marker`."""
    return _ENTRY.finditer(LOCK.read_text(encoding="utf-8"))


def locked() -> dict[str, str]:
    """What the lock holds: versions by name."""
    return {entry["name"]: entry["version"] for entry in entries()}
