"""SECURITY.md names tests and classes that exist, and leaves out no class of the attack table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.attack.case import CLASSES

TOP = Path(__file__).parents[2]
PAGE = (TOP / "SECURITY.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
CVE_TABLE = PAGE.partition("## Known attacks")[2]


@pytest.mark.parametrize("named", TESTS)
def test_named_test_exists(named: str) -> None:
    """A path is a file of tests; behind `::` stands a function in it."""
    path, _, function = named.partition("::")
    tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert any(name.startswith("test_") for name in functions)
    assert not function or function in functions


def test_security_page_names_tests() -> None:
    """The pattern above finds them; every known attack has one, or a class of the attack table."""
    assert len(TESTS) > 25
    rows = [line for line in CVE_TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for row in rows:
        covered = row.rstrip("| ").rpartition("|")[2]
        assert "attack table, class" in covered or "`tests/" in covered, row


def test_classes_of_the_attack_table() -> None:
    """Those that the page names exist, and all that attack a token's content are named."""
    named = {name for names in re.findall(r'class(?:es)? ("[^|;]+")', PAGE) for name in re.findall(r'"([^"]+)"', names)}
    assert named <= set(CLASSES)
    elsewhere = {"header syntax", "structure", "base64url", "integrity", "time"}
    assert set(CLASSES) - named == elsewhere
