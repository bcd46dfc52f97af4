"""Real processes on loopback: started by us, ready before they are used, stopped by their id, leaving nothing behind.

Rules of this file: each process leads its own session, so that its children are stopped with it; its output goes
to a file in the row's own folder, and so do its temporary files; nothing is ever stopped by name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

__all__ = ["Process", "free_port", "listens"]

PATIENCE = 60.0
"""Seconds until a process must be ready; long, since machines are slow and noisy."""
_STEP = 0.02
_GRACE = 30.0
"""Seconds that a process has to end when it is told to; long too, and only ever waited for in full by a stubborn one."""

T = TypeVar("T")


class Process:
    """One process and its children."""

    def __init__(
        self, name: str, command: Sequence[object], folder: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._output = self.log.open("wb")
        self._popen = subprocess.Popen(
            [str(word) for word in command],
            env={**(os.environ if env is None else env), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Of the process, and of its session and group."""
        return self._popen.pid

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def line(self, starting: str, *, timeout: float = PATIENCE) -> str:
        """Wait for a line that starts so, and answer the rest of it."""

        def found() -> str | None:
            *lines, _unfinished = self.output().split("\n")
            return next((line.removeprefix(starting) for line in lines if line.startswith(starting)), None)

        return self.until(found, f"no line {starting!r}", timeout=timeout)

    def until(self, found: Callable[[], T | None], otherwise: str, *, timeout: float = PATIENCE) -> T:
        """Wait until `found()` answers something; raises `RuntimeError` if the process ends before or time is up."""
        deadline = time.monotonic() + timeout
        while (value := found()) is None:
            if self._popen.poll() is not None:
                raise RuntimeError(f"{self.name} ended ({self._popen.returncode}): {self.output()[-800:]}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {otherwise} in {timeout:g} s: {self.output()[-800:]}")
            time.sleep(_STEP)
        return value

    def until_listening(self, port: int) -> None:
        """Wait until something accepts connections on the port."""
        self.until(lambda: True if listens(port) else None, f"nothing listens on port {port}")

    def wait(self, timeout: float = 120.0) -> int:
        """Wait for the end of a program that ends by itself; its exit code."""
        return self._popen.wait(timeout)

    def stop(self) -> bool:
        """End it and its children; whether they went when they were told to."""
        self._signal(signal.SIGTERM)
        willing = self._gone(_GRACE)
        if not willing:
            self._signal(signal.SIGKILL)
            self._gone(_GRACE)
        self._output.close()
        return willing

    def _gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._popen.poll()
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(_STEP)
        return False

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, for a peer that cannot take port 0."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0
