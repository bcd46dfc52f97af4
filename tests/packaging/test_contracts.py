"""The import contracts are kept by this tree, and each of them notices when it is broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["name"]: contract
    for contract in tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
BREACHES = {
    "Deciding does no I/O": ("core/bearward/claims.py", "import socket"),
    "The packages of the core stand in layers": ("core/bearward/cache/urls.py", "import bearward.jwks.store"),
    "Nothing imports the command line": ("core/bearward/adapters.py", "import bearward.command_line.output"),
    "One boundary for the terminal": ("core/bearward/adapters.py", "import rich"),
    "No circle of imports": (
        "core/bearward/fetch/urls.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import bearward.fetch.addresses",
    ),
    "The core knows no framework": ("core/bearward/verifier.py", "import sanic"),
    "One boundary for HTTP": ("core/bearward/verifier.py", "import httpx2"),
    "One boundary for OpenTelemetry": ("core/bearward/verifier.py", "from opentelemetry import trace"),
    "One boundary for aiocache": ("core/bearward/verifier.py", "import aiocache"),
    "One boundary for python-jose": ("core/bearward/verifier.py", "from jose import jwk"),
    "One boundary for AWS-LC": ("core/bearward/verifier.py", "import awscrt"),
    "One boundary for the clock": ("core/bearward/verifier.py", "import time"),
    "Adapters never import each other": ("sanic_adapter/bearward_sanic/__init__.py", "import bearward_grpc"),
}


def test_every_contract_is_tried() -> None:
    """Each contract of pyproject.toml has a breach here."""
    assert set(BREACHES) == set(CONTRACTS)


def test_contracts_are_kept(tmp_path: Path) -> None:
    """This tree keeps every contract."""
    done = _lint(_copy(tmp_path))
    assert done.returncode == 0, done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(BREACHES))
def test_breach_is_noticed(name: str, tmp_path: Path) -> None:
    """One forbidden import breaks the contract that forbids it."""
    tree = _copy(tmp_path)
    file, line = BREACHES[name]
    with (tree / file).open("a") as source:
        source.write(f"\n{line}\n")
    done = _lint(tree)
    assert done.returncode == 1
    assert f"{name} BROKEN" in done.stdout


@pytest.mark.thorough
def test_listed_module_must_exist(tmp_path: Path) -> None:
    """A module that is listed in a contract and is not there breaks it: lists cannot rot."""
    tree = _copy(tmp_path)
    settings = tree / "pyproject.toml"
    settings.write_text(settings.read_text().replace("io_modules = [", 'io_modules = [\n"bearward.gone",'))
    assert "bearward.gone is listed as doing I/O, and is not there" in _lint(tree).stdout


def _copy(to: Path) -> Path:
    for name in ("core", "grpc_adapter", "sanic_adapter", "tools"):
        shutil.copytree(TOP / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", to)
    return to


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    path = ":".join(str(tree / name) for name in ("core", "grpc_adapter", "sanic_adapter", "."))
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", lint, "--no-cache", "--no-logo"]
    environment = {"PYTHONPATH": path, "COLUMNS": "300", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
