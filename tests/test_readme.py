"""The README is true: its example of the core runs as it stands; `test_example_services.py` runs the services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bearward.testing import LocalIssuer
from tests.command_line.pages import differences, examples
from tests.conftest import Run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = dict(re.findall(r"```python (\w+)\n(.*?)```", README, re.DOTALL))
ISSUER = "https://login.example/"
EXPLAINED = examples("../README.md")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """The issuer that the examples trust."""
    with LocalIssuer(algorithms=["ES256"], audience="https://api.example") as issuer:
        yield issuer


def example(name: str, issuer: LocalIssuer) -> dict[str, Any]:
    """Run an example with the local issuer in place of the one that it names."""
    assert ISSUER in EXAMPLES[name]
    code = EXAMPLES[name].replace(ISSUER, issuer.url)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, f"README.md ({name})", "exec"), names)
    return names


def test_core_example_names_the_subject_or_the_refusal(issuer: LocalIssuer, run: Run) -> None:
    """A good token gives its subject, an expired one the code that both transports carry."""
    who = example("core", issuer)["who"]
    assert run(who(issuer.mint(scope="orders:read"))) == "subject"
    assert run(who(issuer.mint(scope="orders:read", expires_in=-1))) == "token_expired"
    assert run(who(issuer.mint())) == "scope_insufficient"


@pytest.mark.thorough
def test_explained_refusal_is_what_the_command_says(issuer: LocalIssuer, tmp_path: Path) -> None:
    """The token comes from the clipboard, and the settings have a slash less than its issuer."""
    (example,) = EXPLAINED
    token = issuer.mint(iss=ISSUER)
    (tmp_path / "service.toml").write_text(
        f"[[issuers]]\nissuer = '{ISSUER[:-1]}'\naudience = 'https://api.example'\njwks_uri = '{issuer.jwks_uri}'\n"
    )
    clipboard = tmp_path / "pbpaste"
    clipboard.write_text(f"#!/bin/sh\necho {token}\n")
    clipboard.chmod(0o755)
    script = example.script.replace("pbpaste", str(clipboard)).replace("service.toml", str(tmp_path / "service.toml"))
    assert differences(replace(example, script=script), {}, f"127.0.0.1:{issuer.port}") == []


def test_make_targets_exist() -> None:
    """Each `make …` of the README is one."""
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert len(named) >= 5
    assert named <= TARGETS


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", README))))
def test_tests_that_the_readme_names_exist(named: str) -> None:
    """A promise names a file of tests, or one function in it."""
    path, _, function = named.partition("::")
    assert f"def {function or 'test_'}" in (ROOT / path).read_text()


def test_every_promise_of_the_readme_names_a_test() -> None:
    """Each point under "What it promises" ends with the test that fails without it."""
    promises = README.partition("## What it promises")[2].partition("\n## ")[0].split("\n- ")[1:]
    assert len(promises) >= 5
    assert [promise for promise in promises if "`tests/" not in promise] == []
