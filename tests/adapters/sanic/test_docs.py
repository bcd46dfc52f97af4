"""The examples of `docs/sanic.md` run, and what they build starts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from bearward.testing import LocalIssuer
from tests.site.pages import serving

DOCUMENT = Path(__file__).parents[3] / "docs" / "sanic.md"
EXAMPLES = (
    re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE) if DOCUMENT.exists() else []
)
(REFUSAL,) = re.findall(r"^```text\n(HTTP/1.1 401.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)

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


@pytest.mark.thorough
def test_refusal_is_the_one_that_is_shown(tmp_path: Path) -> None:
    """The first application of the page sends, for an expired token, what the page shows."""
    head, _, body = REFUSAL.partition("\n\n")
    status, *fields = head.splitlines()
    with LocalIssuer(audience="https://api.example") as issuer:
        token = issuer.mint(scope="notes:read", expires_in=-60)
        with serving(EXAMPLES[0].replace("https://login.example/", issuer.url), tmp_path) as address:
            answer = httpx2.get(f"{address}/notes", headers={"authorization": f"Bearer {token}"})
    assert f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}" == status
    assert [f"{name}: {answer.headers[name]}" for name in (field.partition(":")[0] for field in fields)] == fields
    assert answer.json() == json.loads(body)
