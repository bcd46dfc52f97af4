"""`python -m benchmarks.footprint`: what a request takes in place, and (`--misses`) which caches it goes through.

    python -m benchmarks.footprint [--rounds 40] [--write]
    python -m benchmarks.footprint --misses [--by-function] ["guarded, fresh, kept" …]       # needs valgrind

The times are CPU time of this process, the subjects alternated in random order. `--misses` runs each subject under
callgrind with the geometry of this machine's caches (of its first core; the last level that is simulated is the second)
and says how many instructions a request executes, and how often it misses the first-level caches and the second.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.footprint.subjects import NAMES, prepare, subject
from benchmarks.results import machine, save

_BURST = 150
_BASES = (
    "plain",
    "signature alone, cryptography",
    "signature alone, aws-lc",
    "guarded, repeated, no observers",
    "guarded, fresh, kept",
)
_WARM, _COUNTED = 40, 60
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser("python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--by-function", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--counted", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.names or list(NAMES)
    with tempfile.TemporaryDirectory() as folder:
        tokens = arguments.counted or Path(folder) / "tokens.json"
        if arguments.counted:
            counted(names[0], tokens)
            return
        prepare(tokens, _WARM + _COUNTED if arguments.misses else _BURST)
        if arguments.misses:
            print(
                "| request | instructions | misses, first level | misses, second level |\n| --- | ---: | ---: | ---: |"
            )
            for name in names:
                print(misses(name, tokens, by_function=arguments.by_function), flush=True)
            return
        lines, figures = times(names, tokens, arguments.rounds)
    print("\n".join(lines))
    if arguments.write:
        save("footprint", figures, lines, rounds=arguments.rounds)


def times(names: list[str], tokens: Path, rounds: int) -> tuple[list[str], dict[str, Any]]:
    """CPU time of a request by subject, and its paired ratios to the plain server and to the cheapest floor."""
    loop = asyncio.new_event_loop()
    subjects = {name: subject(name, tokens, loop) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for one in subjects.values():
        one.server.burst(one.requests)
    gc.collect()
    gc.freeze()
    order, shuffle = list(names), random.Random(20260101)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            one = subjects[name]
            one.forget()
            began = process_time()
            one.server.burst(one.requests)
            taken[name].append((process_time() - began) / len(one.requests) * 1e6)
    for one in subjects.values():
        one.server.stop()
    loop.close()
    return _table(taken)


def _table(taken: dict[str, list[float]]) -> tuple[list[str], dict[str, Any]]:
    bases = [name for name in _BASES if name in taken]
    lines = [
        "| request | µs | " + " | ".join(f"beside {base}" for base in bases) + " |",
        "| --- | ---: |" + " ---: |" * len(bases),
    ]
    figures: dict[str, Any] = {}
    for name, values in taken.items():
        ratios = {base: _quartiles([v / b for v, b in zip(values, taken[base], strict=True)]) for base in bases}
        shown = (f"{middle:.3f} ({low:.3f} to {high:.3f})" for low, middle, high in ratios.values())
        figures[name] = {"microseconds": round(statistics.median(values), 2), "ratios": ratios}
        lines.append(f"| {name} | {figures[name]['microseconds']} | " + " | ".join(shown) + " |")
    return [*lines, "", ", ".join(f"{name} {value}" for name, value in machine().items())], figures


def _quartiles(values: list[float]) -> list[float]:
    return [round(value, 4) for value in statistics.quantiles(values, n=4)]


def counted(name: str, tokens: Path) -> None:
    """Within valgrind: warm up, then count."""
    loop = asyncio.new_event_loop()
    one = subject(name, tokens, loop)
    one.server.burst(one.requests[:_WARM])
    gc.collect()
    gc.freeze()
    _control("--instr=on")
    one.server.burst(one.requests[:_WARM] if name.endswith("repeated") else one.requests[_WARM : _WARM + 10])
    _control("--zero")
    rest = one.requests[-_COUNTED + 10 :]
    one.server.burst(rest)
    _control("--dump")
    _control("--instr=off")
    print(len(rest))
    sys.stdout.flush()
    os._exit(0)  # what comes after is of no interest, and slow


def _control(what: str) -> None:
    subprocess.run(["callgrind_control", what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


def misses(name: str, tokens: Path, *, by_function: bool) -> str:
    """A row of the table; with `by_function` the functions that miss the second level most, behind it."""
    with tempfile.TemporaryDirectory() as folder:
        geometry = [f"--{option}={_geometry(index)}" for option, index in (("D1", 0), ("I1", 1), ("LL", 2))]
        command = ["valgrind", "--tool=callgrind", "--cache-sim=yes", "--instr-atstart=no", *geometry]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, "-m", "benchmarks.footprint", name]
        done = subprocess.run([*command, "--counted", str(tokens)], capture_output=True, text=True, check=True)
        requests = int(done.stdout.split()[-1])
        dump = Path(folder) / "out.1"
        text = dump.read_text()
        events = re.search(r"^events: (.*)$", text, re.MULTILINE)
        totals = re.search(r"^(?:summary|totals): (.*)$", text, re.MULTILINE)
        assert events, done.stderr
        assert totals, done.stderr
        seen = dict(zip(events[1].split(), map(int, totals[1].split()), strict=False))
        first = seen["I1mr"] + seen["D1mr"] + seen["D1mw"]
        second = seen["ILmr"] + seen["DLmr"] + seen["DLmw"]
        row = f"| {name} | {seen['Ir'] // requests:,} | {first // requests:,} | {second // requests:,} |"
        return row + ("\n\n" + _functions(dump) + "\n" if by_function else "")


def _functions(dump: Path) -> str:
    command = ["callgrind_annotate", "--show=ILmr,DLmr,Ir", "--sort=ILmr,DLmr", "--threshold=80", str(dump)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _geometry(index: int) -> str:
    """Of a cache of the first core, as valgrind takes it: size, associativity, octets of a line."""
    folder = _CACHES / f"index{index}"
    size = int((folder / "size").read_text().rstrip("K\n")) * 1024
    return f"{size},{(folder / 'ways_of_associativity').read_text().strip()},{(folder / 'coherency_line_size').read_text().strip()}"


if __name__ == "__main__":
    main()
