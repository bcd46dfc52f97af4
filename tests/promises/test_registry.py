"""Every row of SECURITY.md that names a test has a promise that `make promises` takes away, or says why not."""

from __future__ import annotations

import ast

import pytest

from tests.promises.registry import BY_HAND, NOT_TRIED, PROMISES, TOP, Promise, rows_that_name_a_test

PAGE = (TOP / "SECURITY.md").read_text(encoding="utf-8")
ROWS = list(rows_that_name_a_test(PAGE))


@pytest.mark.parametrize("promise", [*PROMISES, *BY_HAND], ids=lambda promise: promise.name)
def test_change_applies(promise: Promise) -> None:
    """The text to take away stands once in its file, and what comes instead is still Python."""
    text = (TOP / promise.file).read_text(encoding="utf-8")
    assert text.count(promise.old) == 1, f"tests/promises/registry.toml: {promise.file} has no such line any more"
    assert promise.old != promise.new
    ast.parse(promise.broken(text))


@pytest.mark.parametrize("promise", [*PROMISES, *BY_HAND], ids=lambda promise: promise.name)
def test_named_test_exists(promise: Promise) -> None:
    """Files of tests, or a function in one."""
    for test in promise.test.split():
        path, _, function = test.partition("::")
        tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert not function or set(function.partition("[")[0].split("::")) <= names


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[:40])
def test_every_row_is_tried(row: str) -> None:
    """Taken away by a change of the registry, or listed as not tried with a reason."""
    listed = {*(promise.row for promise in PROMISES), *NOT_TRIED}
    assert any(row.startswith(name) for name in listed), f"tests/promises/registry.toml has no promise for: {row}"


@pytest.mark.parametrize("named", sorted({*(promise.row for promise in PROMISES), *NOT_TRIED}))
def test_every_entry_names_a_row(named: str) -> None:
    """Each entry names the beginning of a row that SECURITY.md has."""
    assert [row for row in ROWS if row.startswith(named)]
