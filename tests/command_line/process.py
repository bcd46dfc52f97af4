"""The real process `python -m bearward`, with pipes or on a terminal of its own.

Rules of this file: nothing of this process's environment that configures bearward reaches it.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Ended", "bearward", "environment", "on_terminal"]

COMMAND = (sys.executable, "-m", "bearward")
TIMEOUT = 100.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that it printed on stderr, and no traceback."""
        assert "Traceback" not in self.out + self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEARWARD_")}
    return {**kept, "PYTHONWARNINGS": "error", **(more or {})}


def bearward(*arguments: str, given: str | bytes = "", env: Mapping[str, str] | None = None) -> Ended:
    """Run a command with `given` on stdin."""
    octets = given.encode() if isinstance(given, str) else given
    ended = subprocess.run(
        [*COMMAND, *arguments], input=octets, capture_output=True, env=environment(env), timeout=TIMEOUT, check=False
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def on_terminal(*arguments: str, typed: str = "", env: Mapping[str, str] | None = None) -> Ended:
    """Run a command on a terminal, at which `typed` is typed once it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment({"TERM": "xterm", "COLUMNS": "140", **(env or {})}), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = _shown(ours, typed)
        return Ended(process.wait(TIMEOUT), shown, "")
    finally:
        process.kill()
        os.close(ours)


def _shown(terminal: int, typed: str) -> str:
    shown, ends = b"", time.monotonic() + TIMEOUT
    while time.monotonic() < ends:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if not ready:
            continue
        try:
            octets = os.read(terminal, 65536)
        except OSError:  # the process closed its side
            break
        if not octets:
            break
        shown += octets
        if typed and b"(hidden): " in shown:
            os.write(terminal, typed.encode() + b"\n")
            typed = ""
    return shown.decode("utf-8", "replace")
