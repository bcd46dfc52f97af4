"""Every block of code of the README, SECURITY.md and the documentation runs in a test, or it is said why not.

Rules of this file: `blocks.toml` says which test runs which blocks, and what that test's module read from the page: a block
that the test overlooks is not in there. What is not run has a reason, and what is looked at instead.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted(
    str(path.relative_to(TOP)) for path in (TOP / "README.md", TOP / "SECURITY.md", *(TOP / "docs").rglob("*.md"))
)
FENCED = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^```\{toctree\}\n.*?^```$", re.MULTILINE | re.DOTALL)
ENTRIES = tomllib.loads(Path(__file__).with_name("blocks.toml").read_text(encoding="utf-8"))
RUNS, NOT_RUN = ENTRIES["runs"], ENTRIES["not_run"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page, and how it is told from the others of that page."""

    page: str
    line: int
    language: str
    name: str
    text: str


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        text = DIRECTIVE.sub(lambda tree: "\n" * tree[0].count("\n"), (TOP / page).read_text(encoding="utf-8"))
        for found in FENCED.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(page, line, found["language"], found["name"] or "", found["text"])


BLOCKS = list(_blocks())


def _covers(entry: Mapping[str, Any], block: Block) -> bool:
    return (
        block.page in entry["pages"]
        and block.language in entry.get("languages", (block.language,))
        and block.name in entry.get("names", (block.name,))
        and block.text.startswith(tuple(entry.get("begins", [""])))
    )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_block_is_run_or_it_is_said_why_not(block: Block) -> None:
    """By one entry; the test that is named there has read this very block."""
    covering = [entry for entry in (*RUNS, *NOT_RUN) if _covers(entry, block)]
    assert len(covering) == 1, "say in tests/site/blocks.toml which test runs it"
    if names := covering[0].get("read_as"):
        module = importlib.import_module(covering[0]["test"].partition("::")[0].removesuffix(".py").replace("/", "."))
        read = [text for name in names for text in _texts(getattr(module, name))]
        assert any(block.text.strip() in text for text in read), f"{covering[0]['test']} overlooks it"


@pytest.mark.parametrize("entry", [*RUNS, *NOT_RUN], ids=lambda entry: str(entry.get("test", entry["pages"])))
def test_entry_is_of_use(entry: Mapping[str, Any]) -> None:
    """It covers a block, names a test that exists, and gives a reason where nothing runs."""
    assert any(_covers(entry, block) for block in BLOCKS)
    assert "read_as" in entry or entry.get("reason")
    path, _, name = entry["test"].partition("::")
    assert f"def {name}(" in (TOP / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_code_stands_in_fences(page: str) -> None:
    """A block that is only indented, or whose fence has no language, would be run by nothing."""
    prose = FENCED.sub("", DIRECTIVE.sub("", (TOP / page).read_text(encoding="utf-8")))
    assert not re.search(r"^ *```", prose, re.MULTILINE)
    assert re.findall(r"\n\n( {4,}\S.*)", prose) == []


def _texts(read: Any) -> Iterator[str]:
    """All texts in what a module of tests read from a page: text, files, or collections of these."""
    if callable(read):
        read = read()
    if isinstance(read, str):
        yield read
    elif isinstance(read, Path):
        yield (TOP / read).read_text(encoding="utf-8")
    elif isinstance(read, Mapping):
        yield from _texts(list(read.values()))
    elif isinstance(read, Iterable):
        for one in read:
            yield from _texts(one)
    else:  # an example of `tests.command_line.pages`
        yield from (read.script, "\n".join(read.said))
