"""Servers for the tests: each its own process, on a socket that the test opened, ended by its id."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from bearward.testing import LocalIssuer

TOP = Path(__file__).parents[3]
PACKAGES = [str(TOP / name) for name in ("core", "grpc_adapter", "sanic_adapter", "")]
AUDIENCE = "https://api.example"
START = 60.0  # seconds; generous, since the machine may be busy


class Answer(NamedTuple):
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def challenge(self) -> str | None:
        return self.headers["www-authenticate"]


@dataclass
class Kind:
    """Which server, on which Sanic, with sanic-ext or without, and with middleware of the user's or without."""

    server: str = "native"
    ext: bool = False
    python: str = sys.executable
    middleware: bool = True

    def __str__(self) -> str:
        sanic = "newest" if self.python == sys.executable else "oldest"
        return f"{self.server}-{sanic}{'-ext' if self.ext else ''}{'' if self.middleware else '-alone'}"


@dataclass
class Server:
    """The application under test, served."""

    kind: Kind
    issuer: LocalIssuer
    options: dict[str, Any] = field(default_factory=dict)
    waits_for_keys: bool = True

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        os.set_inheritable(listener.fileno(), True)
        self.port: int = listener.getsockname()[1]
        options = {**self._options(), "fd": listener.fileno()}
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [self.kind.python, "-m", "tests.adapters.sanic.serving", self.kind.server, json.dumps(options)],
            cwd=TOP,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(PACKAGES)},
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        listener.close()
        self._wait_until_ready()
        if self.waits_for_keys:
            self._wait_for_keys()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._errors.close()

    def begin_to_stop(self) -> None:
        """Ask the server to stop."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """End the server by SIGTERM; its exit code."""
        self.begin_to_stop()
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def log(self) -> str:
        """What it wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        """One request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def raw(self) -> socket.socket:
        """A connection to say anything on."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def mint(self, subject: str = "ada", **claims: Any) -> str:
        """A good token for this server."""
        return self.issuer.mint(sub=subject, **claims)

    def _options(self) -> dict[str, Any]:
        """Of the application."""
        own = {"ext": self.kind.ext, "middleware": self.kind.middleware}
        return {"issuer": self.issuer.url, "audience": AUDIENCE, **own, **self.options}

    def _wait_for_keys(self) -> None:
        """On a busy machine the fetch at the start may have taken too long, and is made again a little later."""
        until = time.monotonic() + START
        while self.call("GET", "/private", token=self.mint()).status == 503:
            assert time.monotonic() < until, f"no keys were fetched:\n{self.log()}"
            time.sleep(0.2)

    def _wait_until_ready(self) -> None:
        timer = threading.Timer(START, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if line.strip() == b"ready":
                    return
        finally:
            timer.cancel()
        self._process.wait(30)
        raise AssertionError(f"the server did not start:\n{self.log()}")
