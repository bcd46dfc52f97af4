"""Copies of the tree to break on purpose: one file is changed, tests are run on the copy, and the file is put back.

Rules of this file: the tree itself is never touched. A copy runs its own packages (they come first in `PYTHONPATH`), also
in the processes that its tests start.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

__all__ = ["FAILED", "PASSED", "TOP", "changed", "copied", "in_trees", "run_tests"]

TOP = Path(__file__).resolve().parent.parent
FOLDERS = (
    "core",
    "grpc_adapter",
    "sanic_adapter",
    "samples",
    "examples",
    "tests",
    "tools",
    "benchmarks",
    "docs",
    "protos",
)
FILES = ("pyproject.toml", "README.md", "SECURITY.md", "Makefile")
PACKAGES = ("core", "grpc_adapter", "sanic_adapter", ".")
PASSED, FAILED = 0, 1
"""pytest's exit codes where tests ran; whatever else it says, nothing was tried."""

T = TypeVar("T")
R = TypeVar("R")


def copied(place: Path) -> Path:
    """The tree, without what `make` made."""
    for name in FOLDERS:
        shutil.copytree(TOP / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in FILES:
        shutil.copy(TOP / name, place / name)
    (TOP / ".cache").mkdir(exist_ok=True)
    (place / ".cache").symlink_to(TOP / ".cache")  # the oldest Sanic that the adapter's tests run with
    return place


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """The file with another text, for as long as the context is open."""
    whole = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


def run_tests(tree: Path, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run pytest there, in its own order; raise `subprocess.TimeoutExpired` after `timeout` seconds."""
    path = os.pathsep.join(str(tree / name) for name in PACKAGES)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )


def in_trees(work: Callable[[T, Path], R], things: Iterable[T], trees: Sequence[Path]) -> Iterator[R]:
    """`work(thing, tree)` for each, as many at once as there are trees, each in one that is free; in order."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(thing: T) -> R:
        tree = free.get()
        try:
            return work(thing, tree)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(one, things)
