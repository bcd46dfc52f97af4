"""A fleet of real processes: the lease holds across them, and outlives none of them for long."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bearward.testing import LocalIssuer
from tests.core.jwks.cache_servers import CacheServer, Valkey

pytestmark = pytest.mark.thorough

SECRET = b"a secret that the fleet shares"


@contextmanager
def processes(count: int, issuer: LocalIssuer, cache: str) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes of a fleet."""
    settings = {"issuer": issuer.url, "jwks_uri": issuer.jwks_uri, "cache": cache, "secret": SECRET.decode()}
    command = [sys.executable, "-m", "tests.core.jwks.fleet_member", json.dumps(settings)]
    started_ones = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        yield started_ones
    finally:
        for process in started_ones:
            process.kill()
            process.communicate()


def answer_of(process: subprocess.Popen[str], question: str | None = None) -> dict[str, bool]:
    """One line of its output, after a line of input."""
    assert process.stdin is not None
    assert process.stdout is not None
    if question is not None:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    answer: dict[str, bool] = json.loads(process.stdout.readline())
    return answer


def test_lease_holds_across_processes(server: CacheServer, issuer: LocalIssuer) -> None:
    """Three processes with a hundred first requests each: one fetch, however slow the issuer is."""
    issuer.slow(0.5)
    with processes(3, issuer, server.url) as members:
        for member in members:
            assert answer_of(member) == {"ready": True}
    assert issuer.requests() == 1


def test_lease_of_a_killed_process_expires(valkey: Valkey, issuer: LocalIssuer) -> None:
    """Killed in the middle of its fetch: the lease runs out, and the next one fetches."""
    issuer.hold()
    with processes(1, issuer, valkey.url) as (victim,):
        issuer.wait_for_requests("/jwks", 1)
        victim.kill()
        victim.wait()
        with processes(1, issuer, valkey.url) as (survivor,):
            issuer.wait_for_requests("/jwks", 2)
            issuer.release()
            assert answer_of(survivor) == {"ready": True}
