"""A text that a reviewer has approved, in a file beside the test: compared, and renewed only on request.

Rule of this file: nothing is approved by running a test; a missing file fails, like a changed one.
"""

from __future__ import annotations

import difflib
from pathlib import Path

__all__ = ["compare_with_approved"]

_RENEW = "if this is intended, approve it with: pytest --bearward-update"


def compare_with_approved(path: Path, text: str, *, update: bool) -> str | None:
    """What differs from the file at `path`, as a text for the one who reads the failure; None if nothing does.

    With `update` the file is written instead.
    """
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return None
    if not path.is_file():
        return f"{path} does not exist: no one has approved who may call what; {_RENEW}\n\n{text}"
    approved = path.read_text(encoding="utf-8")
    if approved == text:
        return None
    changes = difflib.unified_diff(
        approved.splitlines(), text.splitlines(), "approved", "decided now", lineterm="", n=0
    )
    lines = [line for line in changes if not line.startswith("@@")]
    return "\n".join([f"who may call what has changed ({path}); {_RENEW}", "", " " + _columns(text), *lines])


def _columns(text: str) -> str:
    return next((line for line in text.splitlines() if line and not line.startswith("#")), "")
