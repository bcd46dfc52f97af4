"""Blocks that are programs of their own run as they stand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.site.pages import blocks

PAGES = ("performance.md", "revocation.md")
PROGRAMS = {f"{page}-{name}": code for page in PAGES for name, code in blocks(page).items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_block_runs(name: str) -> None:
    """Without a warning, and without anything beside it."""
    command = [sys.executable, "-W", "error", "-c", PROGRAMS[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
