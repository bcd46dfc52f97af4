"""`python -m tests.fuzz`: run each harness for a bounded time, count what was executed, keep what crashed.

Rules of this file: FUZZ_SECONDS (60) is for all targets together; the corpus in the tree is the start, what is found
on the way stays in `.cache/fuzz` until `--keep` minimizes it into the tree. An input that breaks an invariant is written
to `tests/fuzz/crashes`, where the ordinary tests find it from then on. The exit code is 1 if there was one.

Each run is written down in `.cache/fuzz/executions.jsonl` with a digest of the core that ran; `--counts` sums them up.
"""

# ruff: noqa: T201  (a command that says what it found)

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import bearward
from tests.fuzz.minimize import minimized
from tests.fuzz.seeds import SEEDS, WORDS
from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
CORPUS, CRASHES = HERE / "corpus", HERE / "crashes"
WORK = Path(".cache") / "fuzz"
COUNTS = WORK / "executions.jsonl"
ATHERIS = "atheris>=3.0"
MOST_KEPT, MOST_OCTETS = 150, 4096


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--target", action="append", dest="targets", choices=list(TARGETS), help="all, unless named")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", "60")))
    parser.add_argument("--runs", type=int, default=0, help="for each target, instead of a time")
    parser.add_argument("--keep", action="store_true", help="minimize what was found into the corpus of the tree")
    parser.add_argument("--counts", action="store_true", help="only say what was executed so far, by core and target")
    arguments = parser.parse_args()
    if arguments.counts:
        print("\n".join(_counts()))
        return 0
    targets = arguments.targets or list(TARGETS)
    _install_atheris()
    share = int(arguments.seconds / len(targets))
    crashed = 0
    for target in targets:
        if share or arguments.runs:
            crashed += _fuzz(target, share, arguments.runs)
        if arguments.keep:
            _keep(target)
    return 1 if crashed else 0


def _install_atheris() -> None:
    """Only who fuzzes needs it, and it has no wheels for every platform."""
    if find_spec("atheris") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", ATHERIS], check=True)


def _fuzz(target: str, seconds: int, runs: int) -> bool:
    """Whether an invariant of the target was broken."""
    found = WORK / target
    found.mkdir(parents=True, exist_ok=True)
    _write_seeds(target, found)
    kept = CRASHES / target
    kept.mkdir(parents=True, exist_ok=True)
    before = set(kept.iterdir())
    bound = f"-runs={runs}" if runs else f"-max_total_time={seconds}"
    options = [bound, f"-max_len={MOST_OCTETS}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
    options += [f"-artifact_prefix={kept}/", f"-dict={found}.dict", "-verbosity=1", "-close_fd_mask=1"]
    began = time.monotonic()
    done = _harness(target, [*options, str(found), str(CORPUS / target)])
    executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    count = int(executed[1]) if executed else 0
    new = sorted(path.name for path in set(kept.iterdir()) - before)
    took = time.monotonic() - began
    print(f"{target}: {count} executions in {took:.0f} s, {len(new)} crashes {' '.join(new)}", flush=True)
    if done.returncode or new:
        print(done.stderr[-4000:], file=sys.stderr)
    with COUNTS.open("a") as log:
        entry = {"target": target, "executions": count, "seconds": round(took), "crashes": new, "core": core()}
        log.write(json.dumps(entry) + "\n")
    if not any(kept.iterdir()):
        kept.rmdir()
    return bool(done.returncode or new)


def core() -> str:
    """A digest of the core's source."""
    folder = Path(bearward.__file__).parent
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + b"\x00" + path.read_bytes() + b"\x00")
    return digest.hexdigest()[:12]


def _counts() -> list[str]:
    """One line for each core and target: executions, seconds, crashes."""
    sums: dict[tuple[str, str], list[int]] = {}
    for line in COUNTS.read_text().splitlines() if COUNTS.exists() else ():
        run = json.loads(line)
        row = sums.setdefault((run.get("core", "unknown"), run["target"]), [0, 0, 0])
        row[:] = row[0] + run["executions"], row[1] + run["seconds"], row[2] + len(run["crashes"])
    return [
        f"core {name} {target}: {n:,} in {took} s, {bad} crashes" for (name, target), (n, took, bad) in sums.items()
    ]


def _harness(target: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.harness", target, *options]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _write_seeds(target: str, folder: Path) -> None:
    for number, seed in enumerate(SEEDS[target]):
        (folder / f"seed-{number}").write_bytes(seed)
    escaped = (re.sub(r'["\\]', lambda found: "\\" + found[0], word).replace("\t", "\\x09") for word in WORDS[target])
    folder.with_suffix(".dict").write_text("".join(f'"{word}"\n' for word in escaped))


def _keep(target: str) -> None:
    """A small set of inputs that goes wherever all go, named by their digest."""
    folder = CORPUS / target
    paths = [*(WORK / target).iterdir(), *folder.iterdir()]
    smallest = minimized((path.read_bytes() for path in paths), TARGETS[target], MOST_KEPT)
    for path in folder.iterdir():
        path.unlink()
    for octets in smallest:
        (folder / sha256(octets).hexdigest()[:16]).write_bytes(octets)
    print(f"{target}: {len(smallest)} of {len(paths)} inputs kept", flush=True)


if __name__ == "__main__":
    sys.exit(main())
