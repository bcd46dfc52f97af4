"""gunicorn with `--preload`: the service and its started verifier are loaded once, and forked into each worker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from bearward.testing import LocalIssuer

pytestmark = pytest.mark.thorough
TOP = Path(__file__).resolve().parents[2]
WORKERS = 2
PATIENCE = 40.0
"""Seconds, on a busy machine."""


@contextlib.contextmanager
def gunicorn(issuer: LocalIssuer, worker_class: str) -> Iterator[str]:
    """A master with two workers; the address that they share."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--threads", "2"]
        command += ["--worker-class", worker_class, "--bind", f"fd://{listener.fileno()}", "--log-level", "warning"]
        process = subprocess.Popen(
            [*command, "tests.adapters.gunicorn_service:service"],
            cwd=TOP,
            env={**os.environ, "ISSUER": issuer.url},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/who"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):  # a master that was killed leaves its workers behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def every_worker_says(url: str, mint: Callable[[], str], expected: str) -> bool:
    """Whether, before patience ends, each worker answers so, and none otherwise any more."""
    seen: set[str] = set()
    deadline, in_a_row = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline and (in_a_row < 12 or (len(seen) < WORKERS and expected.isalpha())):
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {mint()}"}, timeout=PATIENCE)
        worker, _, subject = answer.text.partition(" ") if answer.status_code == 200 else ("", "", "")
        said = subject or answer.json()["code"]
        in_a_row = in_a_row + 1 if said == expected else 0
        seen |= {worker} - {""}
    return in_a_row >= 12


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_preloaded_workers_fetch_keys_that_rotate(worker_class: str) -> None:
    """Each worker goes by what the master held, then by what it fetches itself: a withdrawn key ends in all of them."""
    with LocalIssuer(audience="https://api.example") as issuer, gunicorn(issuer, worker_class) as url:
        old = issuer.key()
        assert every_worker_says(url, lambda: issuer.mint(sub="ada"), "ada")
        issuer.rotate()
        issuer.withdraw(old)
        assert every_worker_says(url, lambda: issuer.mint(sub="bob"), "bob")
        assert every_worker_says(url, lambda: issuer.mint(key=old), "key_unknown")
        assert issuer.requests("/jwks") >= 1 + WORKERS
