"""What `docs/evidence/python-jose.md` says of python-jose is so: what is imported, what runs, what never is."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "evidence" / "python-jose.md").read_text(encoding="utf-8")
VEX = json.loads((TOP / "security" / "openvex.json").read_text(encoding="utf-8"))
UNUSED = ("ecdsa", "pyasn1", "rsa")
# RFC 9964's are left out where `cryptography` has them not; the page counts them among our own classes.
PROGRAM = """
import asyncio, json, sys, threading
for name in {blocked}: sys.modules[name] = None  # an import of it raises
from bearward import SymmetricKey, TrustedIssuer, Verifier
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.testing import LocalIssuer

seen, verified = set(), []

def note(frame, event, argument):
    module = frame.f_globals.get("__name__", "")
    if event == "call" and module.partition(".")[0] == "jose" and "<locals>" not in frame.f_code.co_qualname:
        seen.add((module, frame.f_code.co_qualname))

async def verify(settings, minted):
    async with Verifier(TrustedIssuer(audience="https://api.example", **settings)) as verifier:
        for algorithm, token in minted:
            await verifier.verify(token)
            verified.append(algorithm)

async def main():
    names = sorted(set(ALGORITHMS) - SYMMETRIC - {{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}})
    with LocalIssuer(algorithms=names) as issuer:
        minted = [(name, issuer.mint(alg=name)) for name in names]
        await verify({{"issuer": issuer.url, "algorithms": names}}, minted)
        for name in sorted(SYMMETRIC):
            secret = bytes(range(64))
            keys = [SymmetricKey(secret, algorithm=name)]
            token = issuer.mint(key=secret, alg=name, iss="https://secret.example", kid=None)
            await verify({{"issuer": "https://secret.example", "symmetric_keys": keys}}, [(name, token)])

threading.setprofile(note)
sys.setprofile(note)
asyncio.run(main())
sys.setprofile(None)
loaded = sorted(name for name in sys.modules if name.partition(".")[0] in {unused} and sys.modules[name])
print(json.dumps([sorted(seen), verified, loaded]))
"""


def _table(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in section.splitlines() if line.startswith("| `")]
    return [row[:2] for row in rows]


def _run(python: Path | str, blocked: tuple[str, ...]) -> tuple[list[list[str]], list[str], list[str]]:
    code = PROGRAM.format(blocked=blocked, unused=UNUSED)
    done = subprocess.run([str(python), "-c", code], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, verified, loaded = json.loads(done.stdout)
    return seen, verified, loaded


def test_imported_names_are_those_of_the_page() -> None:
    """One file imports python-jose, and these names."""
    found = [
        [node.module or "", alias.name]
        for path in sorted((TOP / "core").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "jose" and not node.level
        for alias in node.names
    ]
    assert sorted(found) == sorted(_table("Names that are imported"))


def test_functions_that_run_are_those_of_the_page() -> None:
    """Every algorithm verifies, and runs these functions of python-jose."""
    seen, verified, _ = _run(sys.executable, ())
    assert {"RS256", "PS256", "ES256", "ES256K", "EdDSA", "HS256"} <= set(verified)
    assert seen == sorted(_table("Functions that run"))


@pytest.mark.parametrize("blocked", [(), UNUSED], ids=["importable", "impossible to import"])
def test_scanned_packages_are_never_imported(blocked: tuple[str, ...], bare_python: Path) -> None:
    """With the installed wheel every algorithm verifies; `ecdsa`, `rsa` and `pyasn1` are not loaded, and not missed."""
    _, verified, loaded = _run(bare_python, blocked)
    assert len(verified) >= 14
    assert loaded == []


def test_vex_is_about_what_is_installed_and_unused() -> None:
    """Each statement has what OpenVEX 0.2.0 demands, is about this package, and about a part that the test covers."""
    assert VEX["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert {"@id", "author", "timestamp", "version"} <= VEX.keys()
    for statement in VEX["statements"]:
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}", statement["vulnerability"]["name"])
        (product,) = statement["products"]
        assert product["@id"] == "pkg:pypi/bearward"
        assert {part["@id"].removeprefix("pkg:pypi/") for part in product["subcomponents"]} <= set(UNUSED)
        assert statement["status"] == "not_affected"
        assert statement["justification"] == "vulnerable_code_not_in_execute_path"
        assert "tests/packaging/test_python_jose.py" in statement["impact_statement"]
