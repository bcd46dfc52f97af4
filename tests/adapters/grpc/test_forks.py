"""A process that forks after its verifier has started: the child serves, and fetches keys by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bearward.testing import LocalIssuer
from bearward_grpc import VerifierThread
from tests.adapters.grpc.conftest import trust

SERVED = {
    "keys of the start": "served",
    "withdrawn": "key_unknown",
    "rotated": "served",
    "expired": "token_expired",
    "child": "0",
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_serves_by_keys_that_it_fetches_itself(method: str, kind: str) -> None:
    """Whether it inherits an interceptor or is sent settings and policy; an inherited one harms no parent."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.grpc.forking_server", method, kind],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == (SERVED | {"parent": "ada"} if method == "fork" else SERVED)


def test_verifier_thread_that_is_not_running_raises(issuer: LocalIssuer) -> None:
    """Before `start`, and after `stop`: the mistake is the program's."""
    background = VerifierThread(trust(issuer))
    with pytest.raises(RuntimeError, match="was not started"):
        _ = background.loop
    with pytest.raises(RuntimeError, match="was not started"):
        background.submit(background.verifier.start())
    background.start()
    background.stop()
    background.stop()
    with pytest.raises(RuntimeError, match="is not running"):
        background.submit(background.verifier.start())


def test_child_fetches_its_own_token_while_the_parents_is_on_its_way() -> None:
    """What the parent waits for never arrives in the child, which asks once, and keeps what it is given."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.grpc.forking_client"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"child": ["child", "child", 1], "parent": "parent"}
