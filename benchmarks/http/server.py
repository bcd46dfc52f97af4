"""A server under load: a process on one core, wrk on the other, and what the server's CPU took for a request.

Rule of this file: processes are started on free ports and ended by their id; the figure is CPU time (user and system)
by request, which a busy neighbour does not change much, and not requests by second, which it does.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

__all__ = ["Load", "Server", "free_port"]

_WAIT = 30.0


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Server:
    """A server process, pinned to the last core."""

    command: Sequence[str]
    port: int
    cwd: str | None = None
    _process: psutil.Popen | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        core = str((os.cpu_count() or 1) - 1)
        self._process = psutil.Popen(
            ["taskset", "-c", core, *self.command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.cwd
        )
        deadline = time.monotonic() + _WAIT
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise TimeoutError(f"no server on port {self.port}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_WAIT)

    def cpu(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        if self._process is None:
            raise RuntimeError("not started")
        times = self._process.cpu_times()
        children = [child.cpu_times() for child in self._process.children(recursive=True)]
        return float(times.user + times.system + sum(child.user + child.system for child in children))


@dataclass(frozen=True)
class Load:
    """What wrk is told: a header for all requests, or a file of tokens; the status that every answer must have."""

    status: int
    header: str | None = None
    tokens: str | None = None

    def microseconds(self, server: Server, seconds: int) -> float:
        """CPU microseconds by request; raises where an answer has another status."""
        command = ["taskset", "-c", "0", "wrk", "-t1", "-c16", f"-d{seconds}s"]
        if self.header is not None:
            command += ["-H", f"Authorization: {self.header}"]
        if self.tokens is not None:
            command += ["-s", os.path.join(os.path.dirname(__file__), "tokens.lua")]  # noqa: PTH118, PTH120
        command.append(f"http://127.0.0.1:{server.port}/protected")
        environment = {**os.environ, "TOKENS": self.tokens or ""}
        before = server.cpu()
        printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        used = server.cpu() - before
        return used / self._requests(printed) * 1e6

    def _requests(self, printed: str) -> int:
        done = re.search(r"(\d+) requests in", printed)
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
        if done is None or int(done[1]) == 0:
            raise RuntimeError("wrk made no request")
        refused = int(failed[1]) if failed else 0
        if (refused == 0) != (self.status == 200) or (refused and refused != int(done[1])):
            raise RuntimeError(f"{refused} of {done[1]} answers were refusals where {self.status} was due")
        return int(done[1])
