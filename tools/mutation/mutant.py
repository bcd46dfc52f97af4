"""A mutant, and what earlier runs found out: kept in `.cache/mutants`, a file for each file that was changed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tools.mutation.files import TOP

__all__ = [
    "KILLED",
    "NOT_RUN",
    "SURVIVED",
    "TIMED_OUT",
    "UNTESTED",
    "Mutant",
    "identity",
    "is_left",
    "keep",
    "kept",
    "reason",
]

FOUND = TOP / ".cache" / "mutants"
REASONS = Path(__file__).with_name("reasons.toml")
KILLED, SURVIVED, UNTESTED, TIMED_OUT = "killed", "survived", "not run by any test", "timed out"
NOT_RUN = "not run"
"""Of a mutant that is known, and that a run ended before."""


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it took away, what it put there, and what became of it."""

    file: str
    function: str
    before: str
    after: str
    outcome: str


def keep(mutants: Iterable[Mutant]) -> None:
    """By file, for the runs to come."""
    FOUND.mkdir(parents=True, exist_ok=True)
    by_file: dict[str, list[dict[str, str]]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.file, []).append(asdict(mutant))
    for file, rows in by_file.items():
        _place(file).write_text(json.dumps(rows), encoding="utf-8")


def kept(files: Iterable[str]) -> list[Mutant]:
    """What this run and those before it found out about these files."""
    paths = (_place(file) for file in sorted(files))
    return [Mutant(**row) for path in paths if path.exists() for row in json.loads(path.read_text(encoding="utf-8"))]


def is_left(mutant: Mutant) -> bool:
    """Whether no test noticed."""
    return mutant.outcome in (SURVIVED, UNTESTED)


def identity(mutant: Mutant) -> tuple[str, str, str, str]:
    """What a mutant is known by from one run to the next; two changes of one function may look alike."""
    return mutant.file, mutant.function, mutant.before, mutant.after


def reason(mutant: Mutant) -> str | None:
    """The first explanation whose patterns fit."""
    where = f"{mutant.file} {mutant.function}"
    texts = (("where", where), ("before", mutant.before), ("after", mutant.after))
    for row in _reasons():
        if all(re.search(row.get(name, ""), text) for name, text in texts):
            return row["why"]
    return None


@cache
def _reasons() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = tomllib.loads(REASONS.read_text(encoding="utf-8"))["reason"]
    return rows


def _place(file: str) -> Path:
    return FOUND / f"{file.replace('/', '-')}.json"
