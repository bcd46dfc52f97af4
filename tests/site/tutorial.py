"""Reads a tutorial and does what it says: writes its files, runs its commands, compares what they print.

Rules of this file: a page is followed word by word. A block ```` ```python NAME ```` is a file; in a block `console` the
lines after `$ ` are commands of one shell, and the lines below are what they print (`…` stands for anything). A block
`console NAME` is a terminal of its own: what ran there is stopped, and the block is done when its last line was printed.
Ports are replaced by free ones, so that a run disturbs nothing on the machine.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 60.0
_DONE = "-- done --"


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its language, the word after it, its text."""

    language: str
    name: str
    text: str

    @property
    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the lines that it prints."""
        for step in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *printed = step.rstrip("\n").split("\n")
            yield command, printed


def blocks(page: str, ports: Mapping[str, int]) -> list[Block]:
    """The blocks of a page, with other ports."""
    for shown, used in ports.items():
        page = re.sub(rf"\b{shown}\b", str(used), page)
    return [Block(*match.groups(default="")) for match in BLOCK.finditer(page)]


def free_ports(shown: list[str]) -> dict[str, int]:
    """A free port for each that the page shows."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in shown]
    found = {name: server.getsockname()[1] for name, server in zip(shown, held, strict=True)}
    for server in held:
        server.close()
    return found


class Reader:
    """A person in `folder` who reads a page; leaves no process behind."""

    def __init__(self, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._folder = folder
        self._log = log.open("a", encoding="utf-8")
        self._environment = {**os.environ, **environment}
        self._terminals: dict[str, subprocess.Popen[str]] = {}
        self._shell = self._start("exec bash")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._terminals.values(), self._shell):
            _stop(process)
        self._log.close()

    def follow(self, block: Block) -> None:
        """Do what one block says; an AssertionError says what was printed instead."""
        if block.language == "python":
            (self._folder / block.name).write_text(block.text)
        elif block.language == "console":
            for command, expected in block.steps:
                self._in_terminal(block.name, command, expected) if block.name else self._run(command, expected)

    def _run(self, command: str, expected: list[str]) -> None:
        if self._shell.stdin is None or self._shell.stdout is None:
            raise RuntimeError(command)
        self._shell.stdin.write(f"{command}\necho; echo '{_DONE}'\n")
        self._shell.stdin.flush()
        _compare(command, list(_lines(self._shell.stdout, _DONE)), expected)

    def _in_terminal(self, name: str, command: str, expected: list[str]) -> None:
        if name in self._terminals:
            _stop(self._terminals.pop(name))
        process = self._terminals[name] = self._start(command)
        if process.stdout is None:
            raise RuntimeError(command)
        printed = [*_lines(process.stdout, expected[-1]), expected[-1]]
        _compare(command, printed[-len(expected) :], expected)
        threading.Thread(target=process.stdout.read, daemon=True).start()  # so that the pipe never fills

    def _start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,  # what a server logs, and a package manager's warnings: the page shows none of it
            text=True,
            start_new_session=True,
        )


def _lines(output: IO[str], last: str) -> Iterator[str]:
    """Lines until `last`; an AssertionError if the output ends before it."""
    seen = []
    for line in output:
        seen.append(line.rstrip("\n"))
        if seen[-1] == last:
            return
        yield seen[-1]
    raise AssertionError(f"ended without {last!r}:\n" + "\n".join(seen))


def _compare(command: str, printed: list[str], expected: list[str]) -> None:
    found = "\n".join(printed).strip("\n")
    pattern = ".*".join(re.escape(part) for part in "\n".join(expected).split("…"))
    assert re.fullmatch(pattern, found), f"$ {command}\nprinted:\n{found}\nexpected:\n" + "\n".join(expected)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
