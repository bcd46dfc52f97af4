"""The sample commands as processes: started, awaited by their ready line, and stopped, each by its own id.

Rule of this file: whatever happens, nothing that was started here keeps running.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Process", "clean_environment", "exit_on_signals"]

_ROOT = Path(__file__).resolve().parent.parent
_READY = "listening on "
_QUIET = {"BEARWARD_LOG_LEVEL": "warning"}
"""For processes whose log nobody reads: what is written to stderr means that something is wrong."""


class Process:
    """`python -m module *arguments`, running while its context is open; times are seconds.

    It has its own session, so that a Ctrl-C in the terminal reaches its parent alone, which ends it in order.
    With `echo`, what it writes to stderr is written to ours too.
    """

    def __init__(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, echo: bool = False
    ) -> None:
        self.name = module
        self._echo = echo
        self.lines: list[str] = []
        """What it wrote to stdout so far."""
        self._fresh: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(  # noqa: S603  (our own modules)
            [sys.executable, "-m", module, *arguments],
            cwd=_ROOT,
            env={**clean_environment(), **({} if echo else _QUIET), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_output, name=f"{module} stdout", daemon=True),
            threading.Thread(target=self._read_errors, name=f"{module} stderr", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def url(self, timeout: float = 30.0) -> str:
        """What it listens on, once it says so: `http://127.0.0.1:1234`; raises `RuntimeError` if it never does."""
        for line in self.lines:
            if line.startswith(_READY):
                return line.removeprefix(_READY)
        try:
            while (line_or_end := self._fresh.get(timeout=timeout)) is not None:
                if line_or_end.startswith(_READY):
                    return line_or_end.removeprefix(_READY)
        except queue.Empty:
            raise RuntimeError(f"{self.name} was not ready within {timeout} s: {self.errors()}") from None
        raise RuntimeError(f"{self.name} ended before it was ready: {self.errors()}")

    def address(self, timeout: float = 30.0) -> str:
        """`127.0.0.1:1234`."""
        return self.url(timeout).partition("://")[2]

    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return "".join(self._errors)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, timeout: float = 30.0) -> int:
        """Its exit code, once it has ended by itself."""
        code = self._process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Ask it to stop, and kill it if it does not; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        finally:
            self._kill_leftovers()
        code = self.wait(timeout)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _kill_leftovers(self) -> None:
        # Its session's process group has its own id as its number, and nobody else's processes are in it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._fresh.put(self.lines[-1])
        self._fresh.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)
            if self._echo:
                sys.stderr.write(line)


def clean_environment() -> dict[str, str]:
    """Our environment without the `BEARWARD_` settings that may be exported there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BEARWARD_")}


def exit_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into an exception, so that the processes started here are stopped too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda code, _: sys.exit(128 + code))
