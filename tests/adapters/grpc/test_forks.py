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


def test_forked_child_starts_its_own_thread() -> None:
    """It serves by the keys that it inherited, fetches newer ones when they are needed, and harms no parent."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.adapters.grpc.forking_server"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert json.loads(told) == {
        "inherited keys": "served",
        "rotated": "served",
        "expired": "token_expired",
        "withdrawn": "key_unknown",
        "child": "0",
        "parent": "ada",
    }


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
