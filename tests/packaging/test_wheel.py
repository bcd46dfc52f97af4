"""What users get: the wheel, installed with the source tree gone, with none of the frameworks."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
PACKAGES = {"bearward", "bearward_grpc", "bearward_pytest", "bearward_sanic"}
EXTRAS = {"all", "aws-lc", "cli", "grpc", "grpc-status", "memcached", "otel", "redis", "sanic"}
NEEDS = {
    "bearward_grpc": "bearward_grpc needs grpcio: pip install 'bearward[grpc]'",
    "bearward_sanic": "bearward_sanic needs sanic: pip install 'bearward[sanic]'",
}
VERIFY = """
import asyncio, sys
from bearward import AuthError, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer

async def main():
    with LocalIssuer() as issuer:
        async with Verifier(TrustedIssuer(issuer.url, audience="https://api.example")) as verifier:
            who = await verifier.verify(issuer.mint(sub="ada", aud="https://api.example"))
            print(who.subject)
            try:
                await verifier.verify(issuer.mint(sub="ada", aud="https://other.example"))
            except AuthError as error:
                print(error.code)

asyncio.run(main())
print(sorted({"grpc", "sanic", "google"} & set(sys.modules)))
"""


def test_wheel_holds_typed_packages(wheel: Path) -> None:
    """The wheel holds the packages, each with `py.typed`, the `.proto` for users' own, neither tests nor samples."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {name.partition("/")[0] for name in names if name.endswith("/py.typed")} == PACKAGES
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "bearward_grpc/v1/annotations.proto" in names


def test_wheel_metadata(wheel: Path) -> None:
    """The metadata says what is needed, and offers the extras that the README names; nothing of development."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(archive.read(name))
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert metadata["Requires-Python"] == ">=3.11"
    assert {line.split("=")[0].split(">")[0].split("<")[0].split("[")[0] for line in required} == {
        "aiocache", "cryptography", "httpcore2", "msgspec", "pybase64", "python-jose",
    }  # fmt: skip
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_sdist_can_be_developed(sdist: Path) -> None:
    """The sdist holds the sources and all that `make check` reads; none of what `make` leaves behind."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "constraints.txt", "pyproject.toml", "tests/conftest.py", "tools/venv.py"} <= names
    assert not [name for name in names if name.startswith((".venv", "dist/")) or "__pycache__" in name]


@pytest.mark.timeout(400)
def test_install_as_the_readme_says(dist: Path, tmp_path: Path) -> None:
    """After `make build`, which made the wheel here, its commands install what they name."""
    build, *commands = re.findall(r"^(?:make build|pip install .*)$", README, re.MULTILINE)
    assert (build, len(commands)) == ("make build", 2)
    _done(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    (tmp_path / "dist").symlink_to(dist)
    environment = {
        "PATH": f"{tmp_path / 'venv' / 'bin'}:/usr/bin:/bin",
        "PIP_CONSTRAINT": str(TOP / "constraints.txt"),  # the versions of this project; the page names none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "0",  # for pip, no to compiling: what is never imported need not be compiled
    }
    _done(
        "bash", "-ec", "\n".join((*commands, "python -c 'import awscrt, bearward_grpc'")), cwd=tmp_path, **environment
    )


def test_core_alone_verifies(bare_python: Path, tmp_path: Path) -> None:
    """Without any framework installed the core fetches keys, verifies a token and refuses another."""
    done = _python(bare_python, tmp_path, VERIFY)
    assert done.stdout.splitlines() == ["ada", "audience_mismatch", "[]"], done.stderr


@pytest.mark.parametrize("package", sorted(NEEDS))
def test_adapter_says_what_it_needs(package: str, bare_python: Path, tmp_path: Path) -> None:
    """An adapter without its framework says in one line what to install."""
    done = _python(bare_python, tmp_path, f"import {package}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {NEEDS[package]}"


def _done(*command: str, cwd: Path | None = None, **variables: str) -> None:
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _python(python: Path, cwd: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-I", "-W", "error", "-c", code]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
