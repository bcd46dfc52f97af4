"""The examples in docstrings are true: every `>>>` of the three packages is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

PACKAGES = ("bearward", "bearward_grpc", "bearward_sanic")


def _examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in PACKAGES:
        package = importlib.import_module(name)
        modules = [found.name for found in pkgutil.walk_packages(package.__path__, prefix=f"{name}.")]
        for module in [name, *modules]:
            yield from (test for test in finder.find(importlib.import_module(module)) if test.examples)


@pytest.mark.parametrize("example", list(_examples()), ids=lambda example: example.name)
def test_example(example: doctest.DocTest, capsys: pytest.CaptureFixture[str]) -> None:
    """What the example shows is what happens."""
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0, capsys.readouterr().out
