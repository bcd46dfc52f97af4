"""The examples of `docs/sanic.md` run, and what they build starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "sanic.md"
EXAMPLES = (
    re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE) if DOCUMENT.exists() else []
)

START = """
if "app" in globals():
    import asyncio, pathlib
    pathlib.Path("logo.svg").write_text("<svg/>")
    app.config.TOUCHUP = False

    async def start():
        loop = asyncio.get_running_loop()
        await app._startup()
        await app._server_event("init", "before", loop=loop)
        await app._server_event("shutdown", "after", loop=loop)

    app.router.routes and asyncio.run(start())
    print("started", hasattr(app.ctx, "bearward"))
"""


def test_page_has_examples() -> None:
    """The document has examples to run."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_documented_example_runs(code: str, tmp_path: Path) -> None:
    """An example runs as it stands, and its application starts."""
    prepared = 'import pathlib; pathlib.Path("logo.svg").write_text("<svg/>")\n' + code + START
    done = subprocess.run(
        [sys.executable, "-c", prepared], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
