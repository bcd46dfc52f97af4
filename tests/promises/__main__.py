"""`make promises`: take the protection behind each promise of SECURITY.md away, one by one, and see its test fail.

Rules of this file: the tree is copied and only the copy is changed. First all named tests run on the copy as it is, and
must pass; then one change at a time, and the named test must fail. The exit code is 1 where a test did not notice, and
where a change no longer applies. `--short` takes a few promises, others each day; `ARGS="alg"` those whose row or file
says so.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import argparse
import datetime as dt
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.promises.registry import PROMISES, TOP, Promise

TREE = ("core", "grpc_adapter", "sanic_adapter", "samples", "examples", "tests", "benchmarks", "docs", "protos")
FILES = ("pyproject.toml", "README.md", "SECURITY.md")
PACKAGES = ("core", "grpc_adapter", "sanic_adapter", ".")
AT_ONCE = 2
SHORT = 6
FAILED = 1
"""pytest's exit code where tests ran and some failed; whatever else it says, no test noticed anything."""


def main() -> int:
    """Run, print, and say what was not noticed."""
    parser = argparse.ArgumentParser(prog="make promises", description=__doc__)
    parser.add_argument("words", nargs="*", help="only promises whose row, file or test says one of them")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} of them, others each day")
    given = parser.parse_args()
    chosen = [
        one for one in PROMISES if not given.words or any(word in f"{one.name} {one.test}" for word in given.words)
    ]
    if given.short:
        chosen = of_today(chosen)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bearward-promises-") as place:
        trees = [copied(Path(place) / str(number)) for number in range(AT_ONCE)]
        if said := on_the_whole_tree(trees[0], chosen):
            print(f"the named tests do not pass as the tree stands:\n{said}")
            return 1
        unnoticed = tried(chosen, trees)
    for promise, why in unnoticed:
        print(f"\nNOT NOTICED: {promise.name}\n  {promise.test}\n  {why}")
    took = time.monotonic() - began
    print(f"\n{len(chosen)} of {len(PROMISES)} protections taken away, {len(unnoticed)} unnoticed, in {took:.0f} s")
    return 1 if unnoticed else 0


def of_today(promises: Sequence[Promise]) -> list[Promise]:
    """Every so-many-th, beginning with another one each day."""
    step = max(1, -(-len(promises) // SHORT))
    return list(promises[dt.date.today().toordinal() % step :: step])  # noqa: DTZ011  (any day will do)


def copied(place: Path) -> Path:
    """The tree, without what `make` made."""
    for name in TREE:
        shutil.copytree(TOP / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in FILES:
        shutil.copy(TOP / name, place / name)
    (place / ".cache").symlink_to(TOP / ".cache")  # the oldest Sanic that the adapter's tests run with
    return place


def on_the_whole_tree(tree: Path, promises: Sequence[Promise]) -> str:
    """What pytest says where a named test fails before anything was changed; empty where all pass."""
    done = pytest(tree, *dict.fromkeys(promise.test for promise in promises))
    return "" if done.returncode == 0 else done.stdout[-4000:] + done.stderr[-2000:]


def tried(promises: Sequence[Promise], trees: Sequence[Path]) -> list[tuple[Promise, str]]:
    """Every promise in a tree that is free; those that nobody noticed, and why."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(promise: Promise) -> tuple[Promise, str]:
        tree = free.get()
        try:
            return promise, without(promise, tree)
        finally:
            free.put(tree)

    unnoticed: list[tuple[Promise, str]] = []
    with ThreadPoolExecutor(len(trees)) as pool:
        for promise, why in pool.map(one, promises):
            print(f"{'NOT NOTICED' if why else 'noticed'}: {promise.name}", flush=True)
            unnoticed += [(promise, why)] if why else []
    return unnoticed


def without(promise: Promise, tree: Path) -> str:
    """Take the protection away, run the test, put it back: why the change went unnoticed, or nothing."""
    path = tree / promise.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(promise.old) != 1:
        return f"the text to change stands there {whole.count(promise.old)} times, not once"
    path.write_text(promise.broken(whole), encoding="utf-8")
    try:
        done = pytest(tree, promise.test, "--exitfirst")
    finally:
        path.write_text(whole, encoding="utf-8")
    if done.returncode == FAILED:
        return ""
    return "the test passed" if done.returncode == 0 else f"pytest ended with {done.returncode}: {done.stdout[-1500:]}"


def pytest(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run there, with the packages of there."""
    path = os.pathsep.join(str(tree / name) for name in PACKAGES)
    options = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
