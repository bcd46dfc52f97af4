"""Whether a file is another one than it was: the one place that says what counts as a change.

Rule of this file: symlinks are followed, so that a ConfigMap whose symlink Kubernetes swaps has changed, though its path
is the same.
"""

from __future__ import annotations

import os

__all__ = ["FileVersion", "version_of"]

FileVersion = tuple[int, int, int] | None
"""Time of change, size and number of the file that a path leads to; None if there is none."""


def version_of(path: str | os.PathLike[str]) -> FileVersion:
    """The version of the file there now; blocks on the disk."""
    try:
        status = os.stat(path)  # noqa: PTH116  (no Path is needed)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
