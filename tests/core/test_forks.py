"""Processes that are forked, spawned, or started by a fork server: keys that grow old and rotate there are fetched there."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bearward import forks
from bearward.fetch import network
from bearward.fetch.pool import PoolKeeper
from bearward.fetch.settings import HTTPSettings
from bearward.testing.tls import ThrowAwayAuthority
from tests.core.jwks.cache_servers import CacheServer

START_METHODS = ("fork", "spawn", "forkserver")
INHERITING = ("loop", "running loop", "thread")
ROOT = Path(__file__).parents[2]
PACKAGES = ("core/bearward", "grpc_adapter/bearward_grpc", "sanic_adapter/bearward_sanic")
LIFE = {
    "inherited": "ok",
    "withdrawn": "key_unknown",
    "remembered": "key_unknown",
    "rotated": "ok",
}


def run_member(module: str, *arguments: str) -> Any:
    """What a program of this package prints, as JSON; nothing may be written to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.thorough
@pytest.mark.parametrize("method", START_METHODS)
def test_settings_that_were_sent_make_a_verifier_in_the_child(method: str) -> None:
    """Whatever the start method."""
    assert run_member("tests.core.process_member", method, "verifier") == LIFE


@pytest.mark.thorough
@pytest.mark.parametrize("kind", INHERITING)
def test_inherited_verifier_starts_its_own_within_one_call(kind: str) -> None:
    """What the parent held is used, and refreshed here; the parent goes on as if nothing had been."""
    assert run_member("tests.core.process_member", "fork", kind) == {**LIFE, "parent": "ok"}


@pytest.mark.thorough
def test_shared_revocations_are_read_in_the_child() -> None:
    """And what is revoked elsewhere is refused there within a second."""
    told = run_member("tests.core.process_member", "fork", "revocations")
    assert told == {"inherited": "ok", "later": "ok", "revoked": "token_revoked", "others": "ok", "parent": "ok"}


def test_lock_that_another_thread_held_is_free_in_the_child() -> None:
    """Only the thread that forks exists there, so nobody would ever release it."""
    for lock in (forks.fork_safe(threading.Lock()), forks.fork_safe(threading.RLock())):
        holder = threading.Thread(target=lock.acquire)
        holder.start()
        holder.join()
        assert not lock.acquire(blocking=False)
        forks._after_fork()
        assert lock.acquire(blocking=False)
        lock.release()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_lock_is_free_in_a_forked_child(package: str) -> None:
    """A lock that is not would have the first request hang that needs it, and with it the child's event loop."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in (ROOT / package).rglob("*.py")
        if "testing" not in path.parts and path.name != "forks.py"  # its lock is held during each fork
        for call in locks_without_fork_safe(ast.parse(path.read_text()))
    ]
    assert found == []


def test_fork_waits_while_certificates_are_read(tmp_path: Path) -> None:
    """OpenSSL's locks are held meanwhile: a child with them would make no TLS context, and so fetch no key, ever."""
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.write_bytes(pem := ThrowAwayAuthority()._chain)
    os.mkfifo(key)  # is read to its end when its writer closes it, and not before
    keeper = PoolKeeper(HTTPSettings(client_cert=str(certificate), client_key=str(key)))
    reading = threading.Thread(target=keeper._renewed, args=(None,), daemon=True)
    reading.start()
    forked = threading.Event()
    with key.open("wb") as writer:  # once both ends are open, OpenSSL reads
        forking = threading.Thread(target=fork_and_end, args=(forked,), daemon=True)
        forking.start()
        assert not forked.wait(0.3)
        writer.write(pem)
    assert forked.wait(30)
    forking.join(30)
    reading.join(30)


@pytest.mark.parametrize("case", ["over_http", "over_tls", "by_file", "by_thread"])
def test_what_a_fetch_imports_is_imported_while_a_fork_waits(case: str) -> None:
    """A child that was forked within the import of a module waits for its lock as soon as it needs the module itself."""
    assert run_member("tests.core.late_imports", case) == []


def test_what_a_shared_cache_imports_is_imported_while_a_fork_waits(server: CacheServer) -> None:
    """Its driver too."""
    assert run_member("tests.core.late_imports", "with_cache", server.url) == []


def fork_and_end(forked: threading.Event) -> None:
    """A child that does nothing at all."""
    if (child := os.fork()) == 0:
        os._exit(0)
    forked.set()
    os.waitpid(child, 0)


def test_names_that_the_parent_looks_up_take_no_place_in_the_child() -> None:
    """Its threads exist in the parent only, and would never give the places back."""
    before = network._lookups.free
    assert before.acquire(blocking=False)
    try:
        forks._after_fork()
        assert network._lookups.free is not before
        assert all(network._lookups.free.acquire(blocking=False) for _ in range(network._MAX_LOOKUPS))
    finally:
        before.release()
        network._lookups.free = before


def locks_without_fork_safe(module: ast.Module) -> Iterator[ast.Call]:
    """Each `threading.Lock()` and `threading.RLock()` that is not an argument of `fork_safe`."""
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    safe = {id(argument) for call in calls if ast.unparse(call.func) == "fork_safe" for argument in call.args}
    for call in calls:
        if ast.unparse(call.func) in ("threading.Lock", "threading.RLock") and id(call) not in safe:
            yield call
