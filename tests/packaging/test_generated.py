"""Generated code is what its generator makes of the `.proto` files today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

TOP = Path(__file__).parents[2]


def test_generated_code_is_current() -> None:
    """`make proto` would change nothing."""
    command = [sys.executable, "-m", "tools.proto", "--check"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
