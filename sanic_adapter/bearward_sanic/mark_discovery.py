"""Handlers: what Sanic and users wrap around a function, and where its mark went.

Rules of this file: marks are read, never guessed. A decorator that swallows a mark (it wraps without
`functools.wraps`) would turn `@requires(...)` into "any token"; such a mark is found in the wrapper's closure and
stops the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import CellType
from typing import Any, Final

from bearward_sanic.marks import ATTRIBUTE, Mark

__all__ = ["ORIGINAL", "automatic", "handler_mark", "own_mark", "swallowed_marks", "websocket_handler"]

ORIGINAL: Final = "__bearward_original__"
"""Where a handler that we wrapped keeps what it wraps, so that a second start wraps anew and not twice."""

_DEPTH: Final = 6


def own_mark(target: object) -> Mark | None:
    """The mark that `target` itself carries (a class inherits its base's)."""
    mark = getattr(target, ATTRIBUTE, None)
    return mark if isinstance(mark, Mark) else None


def handler_mark(handler: object) -> Mark | None:
    """The mark of a route's handler, through the partial that Sanic puts around a websocket's."""
    mark = own_mark(handler)
    while mark is None and isinstance(handler, partial):
        inner = websocket_handler(handler)
        handler = handler.func if inner is None else inner
        mark = own_mark(handler)
    return mark


def websocket_handler(handler: object) -> Any | None:
    """The user's function inside `partial(app._websocket_handler, function, ...)`; None for any other handler."""
    if isinstance(handler, partial) and hasattr(handler, "is_websocket") and handler.args:
        return handler.args[0]
    return None


def automatic(handler: object) -> bool:
    """Whether sanic-ext made this handler (HEAD beside GET, OPTIONS beside everything)."""
    return getattr(handler, "__auto_handler__", False) is True


def swallowed_marks(handler: object) -> Iterator[tuple[object, Mark]]:
    """Marked functions that `handler` wraps without carrying their mark, each with its mark."""
    seen: set[int] = set()
    todo: list[tuple[object, int]] = [(handler, 0)]
    while todo:
        target, depth = todo.pop()
        if id(target) in seen or depth > _DEPTH or not callable(target):
            continue
        seen.add(id(target))
        mark = vars(target).get(ATTRIBUTE) if hasattr(target, "__dict__") else None
        if isinstance(mark, Mark):
            yield target, mark
            continue
        todo.extend((inner, depth + 1) for inner in _inside(target))


def _inside(target: object) -> Iterator[object]:
    """What a callable may call in turn: its closure, a partial's function and arguments, an object's attributes."""
    if isinstance(target, partial):
        yield target.func
        yield from target.args
        yield from target.keywords.values()
    for cell in getattr(target, "__closure__", None) or ():
        if isinstance(cell, CellType):
            try:
                yield cell.cell_contents
            except ValueError:  # not filled yet
                continue
    if not isinstance(target, type) and not hasattr(target, "__code__") and hasattr(target, "__dict__"):
        yield from vars(target).values()
