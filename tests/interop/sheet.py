"""What a row of the table is, and what it found: cases, verdicts, notes.

Rules of this file: a verdict is right or wrong, never skipped. A row that cannot run says why; a row that breaks while
it runs is as bad as a wrong verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.interop.processes import Process

__all__ = ["ACCEPTED", "Answer", "EnoughError", "Row", "Sheet"]

ACCEPTED = "accepted"


class EnoughError(Exception):
    """A wrong verdict was found, and one was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one transport answered to one call: `verdict` is `accepted`, or the refusal's code."""

    transport: str
    verdict: str
    claims: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, what it is, the peers that it is about, and how it is run.

    Beside those it needs joserfc, by which tokens are forged.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    run: Callable[[Sheet], None]


@dataclass
class Sheet:
    """Where a row writes down what it saw. Processes that it starts are stopped when it ends."""

    folder: Path
    stack: ExitStack
    version: str = ""
    transports: dict[str, None] = field(default_factory=dict)
    algorithms: dict[str, None] = field(default_factory=dict)
    cases: set[str] = field(default_factory=set)
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    until_wrong: bool = False
    """Whether the first wrong verdict ends the row."""

    def start(self, process: Process) -> Process:
        """Take charge of a process; what has to be killed is written down."""
        self.stack.callback(self._stop, process)
        return process

    def _stop(self, process: Process) -> None:
        if not process.stop():
            self.left.append(process.name)

    def expect(self, case: str, wanted: str, answers: Iterable[Answer]) -> None:
        """Judge the answers of all transports to one case."""
        for answer in answers:
            self.check(
                case, answer.transport, answer.verdict in wanted.split("|"), f"wanted {wanted}, got {answer.verdict}"
            )

    def check(self, case: str, transport: str, right: bool, otherwise: str = "not so") -> None:
        """Write one verdict down."""
        self.transports[transport] = None
        self.cases.add(case)
        if right:
            self.right += 1
        else:
            self.wrong.append(f"{case} over {transport}: {otherwise}")
            if self.until_wrong:
                raise EnoughError

    def note(self, text: str) -> None:
        """A sentence for the table's last column."""
        if text not in self.notes:
            self.notes.append(text)
