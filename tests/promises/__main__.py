"""`make promises`: take the protection behind each promise of SECURITY.md away, one by one, and see its test fail.

Rules of this file: the tree is copied and only the copy is changed. First all named tests run on the copy as it is, and
must pass; then one change at a time, and the named test must fail. The exit code is 1 where a test did not notice, and
where a change no longer applies. `--short` takes a few promises, others each day; `ARGS="alg"` those whose row, file or
test says so; `--by-hand` those of `by_hand.toml`, which no row is about.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.promises.registry import BY_HAND, PROMISES, Promise
from tools.trees import FAILED, PASSED, changed, copied, in_trees, run_tests

AT_ONCE = 2
SHORT = 6


def main() -> int:
    """Run, print, and say what was not noticed."""
    parser = argparse.ArgumentParser(prog="make promises", description=__doc__)
    parser.add_argument("words", nargs="*", help="only promises whose row, file or test says one of them")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} of them, others each day")
    parser.add_argument("--by-hand", action="store_true", help="the changes of by_hand.toml instead")
    given = parser.parse_args()
    known = BY_HAND if given.by_hand else PROMISES
    chosen = [one for one in known if not given.words or any(word in f"{one.name} {one.test}" for word in given.words)]
    if given.short:
        chosen = of_today(chosen)
    os.environ.setdefault("BEARWARD_PROPERTIES", "unshrunk")
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
    print(f"\n{len(chosen)} of {len(known)} protections taken away, {len(unnoticed)} unnoticed, in {took:.0f} s")
    return 1 if unnoticed else 0


def of_today(promises: Sequence[Promise]) -> list[Promise]:
    """Every so-many-th, beginning with another one each day."""
    step = max(1, -(-len(promises) // SHORT))
    return list(promises[dt.date.today().toordinal() % step :: step])  # noqa: DTZ011  (any day will do)


def on_the_whole_tree(tree: Path, promises: Sequence[Promise]) -> str:
    """What pytest says where a named test fails before anything was changed; empty if all pass."""
    done = run_tests(tree, *dict.fromkeys(name for promise in promises for name in promise.test.split()))
    return "" if done.returncode == PASSED else done.stdout[-4000:] + done.stderr[-2000:]


def tried(promises: Sequence[Promise], trees: Sequence[Path]) -> list[tuple[Promise, str]]:
    """The promises whose tests did not notice, and why."""
    unnoticed: list[tuple[Promise, str]] = []
    for promise, why in zip(promises, in_trees(without, promises, trees), strict=True):
        print(f"{'NOT NOTICED' if why else 'noticed'}: {promise.name}", flush=True)
        unnoticed += [(promise, why)] if why else []
    return unnoticed


def without(promise: Promise, tree: Path) -> str:
    """Take the protection away and run the test: why the change went unnoticed, or nothing."""
    path = tree / promise.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(promise.old) != 1:
        return f"the text to change stands there {whole.count(promise.old)} times, not once"
    with changed(path, promise.broken(whole)):
        done = run_tests(tree, *promise.test.split(), "--exitfirst")
    if done.returncode == FAILED:
        return ""
    return (
        "the test passed"
        if done.returncode == PASSED
        else f"pytest ended with {done.returncode}: {done.stdout[-1500:]}"
    )


if __name__ == "__main__":
    sys.exit(main())
