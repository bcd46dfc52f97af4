"""The examples of `docs/jwks.md` run as they stand, and its tables name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bearward.jwks.health import IssuerHealth
from bearward.jwks.options import JWKSOptions
from tests.chaos.faults import FAULTS

TEXT = (Path(__file__).parents[3] / "docs" / "jwks.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_documented_example_runs(code: str) -> None:
    """As its own program."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr


def test_every_health_field_is_documented() -> None:
    """So that whoever builds an alert finds them."""
    assert [field.name for field in fields(IssuerHealth) if f"`{field.name}`" not in TEXT] == []


def test_documented_options_exist() -> None:
    """A renamed option must be renamed in the documentation too."""
    known = {field.name for field in fields(JWKSOptions)}
    named = set(re.findall(r"`keys\.(\w+)`", TEXT)) | {
        "stale_if_error",
        "max_backoff",
        "max_waiters",
    }
    assert named <= known


def test_table_of_faults_is_complete() -> None:
    """What `make chaos` runs is what the documentation shows."""
    table = TEXT.partition("<!-- chaos -->")[2].partition("<!-- /chaos -->")[0]
    assert [name for name in FAULTS if f"| {name} " not in table] == []
