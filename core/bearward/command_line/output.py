"""What commands print: a table on a terminal, lines where it is not one, JSON where it is asked for.

Rules of this file: colours and marks only on a terminal that has them (`NO_COLOR` and `TERM=dumb` are respected); text
from elsewhere is printed, never interpreted as markup or as control characters.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = ["lines", "mark", "print_json", "say", "table"]

_MARKS = {
    "right": ("✓", "+", "green"),
    "wrong": ("✗", "x", "red"),
    "not reached": ("·", "-", "dim"),
    "note": ("!", "!", "yellow"),
}


def say(text: str) -> None:
    """Print one line."""
    click.echo(_printable(text))


def print_json(data: Any) -> None:
    """Print data for machines: one document, indented."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=True))


def lines(rows: Iterable[Sequence[str]]) -> None:
    """Print rows for a pipe: columns separated by tabs."""
    for row in rows:
        say("\t".join(row))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table on a terminal; columns separated by tabs elsewhere. The first column may hold a mark."""
    if not sys.stdout.isatty():
        lines(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(title) if title else None, title_justify="left", show_edge=False, pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(_styled(_printable(cell), Text) for cell in row))
    Console(highlight=False, markup=False, emoji=False).print(drawn)


def mark(verdict: str) -> str:
    """The mark of a verdict, in what the terminal can show."""
    fancy, plain, _ = _MARKS[verdict]
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    return fancy if sys.stdout.isatty() and encoding.replace("-", "").startswith("utf8") else plain


def _styled(cell: str, text: Any) -> Any:
    colours = {look: colour for fancy, plain, colour in _MARKS.values() for look in (fancy, plain)}
    return text(cell, style=colours.get(cell, ""))


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() or mark == "\t" else " " for mark in text)
