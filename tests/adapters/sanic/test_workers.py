"""Several workers: each with its own keys, told to operators, and a quiet end."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bearward.testing import LocalIssuer
from tests.adapters.sanic.servers import AUDIENCE, PACKAGES, TOP

pytestmark = pytest.mark.thorough

WORKERS = 4


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _workers(python: str, issuer: LocalIssuer, **options: Any) -> Iterator[tuple[subprocess.Popen[bytes], int, Any]]:
    port = _free_port()
    given = {
        "issuer": issuer.url,
        "audience": AUDIENCE,
        "cache": "memory://",
        "port": port,
        "workers": WORKERS,
        "ext": False,
        **options,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PACKAGES), "BEARWARD_TEST_OPTIONS": json.dumps(given)}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [python, "-m", "tests.adapters.sanic.workers_program"],
            cwd=TOP,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        watchdog = threading.Timer(100, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            yield process, port, errors
        finally:
            watchdog.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


def _get(port: int, path: str, token: str | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body


@pytest.fixture(params=["newest", "oldest-ext"])
def kind(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """The Python of a Sanic, and whether sanic-ext is on."""
    oldest = request.param.startswith("oldest")
    python: str = request.getfixturevalue("oldest_python") if oldest else sys.executable
    return python, request.param.endswith("-ext")


def test_each_worker_publishes_its_state(kind: tuple[str, bool]) -> None:
    """Four cold workers fetch at most four times, show their keys to operators, and end without a warning."""
    python, ext = kind
    inspector: dict[str, Any] = {"INSPECTOR": True, "INSPECTOR_HOST": "127.0.0.1", "INSPECTOR_PORT": _free_port()}
    with (
        LocalIssuer(audience=AUDIENCE) as own,
        _workers(python, own, ext=ext, config=inspector) as (process, port, errors),
    ):
        assert process.stdout is not None
        for _ in range(WORKERS):
            assert b"ready" in _line(process.stdout)
        token = own.mint(sub="ada")
        assert {_get(port, "/who", token)["subject"] for _ in range(60)} == {"ada"}
        states: list[dict[str, Any]] = []
        while len(states) < WORKERS or not all(state["ready"] for state in states):
            # A worker says so when it is ready, and when it has its keys; the test's own time limit bounds this.
            states = _get(port, "/state")
        assert own.requests("/jwks") <= WORKERS
        for state in states:
            assert state["issuers"][own.url]["keys"] == 1
            assert state["rules"]["GET /who"] == "authenticated"
        thumbprints = {state["issuers"][own.url]["thumbprint"] for state in states}
        assert len(thumbprints) == 1
        assert _inspect(python, inspector["INSPECTOR_PORT"]).count(thumbprints.pop()) == WORKERS
        _get(port, "/end")  # a signal may come while Sanic's main process talks to its workers, and break that off
        ended = process.wait(60)
        errors.seek(0)
        log = errors.read().decode()
        assert ended == 0, log
        for word in ("WARNING", "ERROR", "Traceback", "cancelled", "never awaited"):
            assert word not in log, log


@pytest.mark.parametrize(
    ("method", "preload"), [("fork", False), ("fork", True), ("spawn", False), ("forkserver", False)]
)
def test_workers_fetch_keys_that_grow_old_and_rotate(method: str, preload: bool) -> None:
    """Whatever starts them, also where a verifier was started in the process that forks them."""
    keys = {"max_age": 3.0, "min_age": 0.0, "cooldown": 0.1, "connect_timeout": 20.0, "read_timeout": 20.0}
    options = {"start_method": method, "preload": preload, "keys": keys, "workers": 2}
    with LocalIssuer(audience=AUDIENCE) as own, _workers(sys.executable, own, **options) as (process, port, _):
        assert process.stdout is not None
        for _ in range(2):
            assert b"ready" in _line(process.stdout)
        old = own.key()
        assert _all_hear(port, lambda: own.mint(sub="ada"), "ada")
        own.rotate()
        own.withdraw(old)
        assert _all_hear(port, lambda: own.mint(key=old), "key_unknown")
        assert _all_hear(port, lambda: own.mint(sub="bob"), "bob")


def _all_hear(port: int, mint: Callable[[], str], expected: str) -> bool:
    """Whether, within seconds, callers of every worker hear this; each call is a connection of its own."""
    deadline = time.monotonic() + 30
    in_a_row = 0
    while in_a_row < 12 and time.monotonic() < deadline:
        answer = _get(port, "/who", mint())
        in_a_row = in_a_row + 1 if answer.get("subject", answer.get("code")) == expected else 0
    return in_a_row == 12


def _inspect(python: str, port: int) -> str:
    """What `sanic inspect` prints."""
    command = [python, "-m", "sanic", "inspect", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_invalid_rule_stops_the_server_with_one_line(kind: tuple[str, bool], issuer: LocalIssuer) -> None:
    """A server with an invalid rule does not serve, and its log names the route."""
    python, ext = kind
    with _workers(python, issuer, ext=ext, wrong=True, workers=1) as (process, _, errors):
        assert process.wait(60) != 0
        errors.seek(0)
        log = errors.read().decode()
        assert "bearward: ctx_auth of route workers.wrong: must be public, optional" in log


def _line(stream: Any) -> bytes:
    while b"ready" not in (line := stream.readline()):
        assert line, "the server ended"
    return bytes(line)
