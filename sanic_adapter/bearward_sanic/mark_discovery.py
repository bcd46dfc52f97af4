"""Marks on handlers: found through what Sanic and users wrap around a function.

Rules of this file: a mark is read, never guessed. A decorator that loses a mark (it wraps without `functools.wraps`)
leaves a function that refuses every call; the mark is searched for in everything the handler refers to, within bounds,
so that the startup can report it before the first caller notices.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from sanic import Blueprint, Request, Sanic

from bearward import Verifier
from bearward.access import Access, mark_of, unmarked

__all__ = ["handler_mark", "hidden_marks", "is_generated", "marks_on", "method_mark", "view_of", "websocket_handler"]

_MAX_VISITED: Final = 2000
"""Objects that a search looks at: a handler that refers to more is left to the guard of its marks."""
_LEAVES: Final = (
    *(Sanic, Blueprint, Request, Verifier, ModuleType, CodeType, FrameType, BuiltinFunctionType),
    *(str, bytes, int, float, complex),
)
"""Where a search does not go on: what holds everything, and what holds nothing."""


def handler_mark(handler: object) -> Access | None:
    """The mark of a route's handler, through the partial that Sanic puts around a websocket's."""
    mark = mark_of(handler)
    while mark is None and isinstance(handler, partial):
        inner = websocket_handler(handler)
        handler = handler.func if inner is None else inner
        mark = mark_of(handler)
    return mark


def websocket_handler(handler: object) -> Any | None:
    """The user's function inside `partial(app._websocket_handler, function, ...)`; None for any other handler."""
    if isinstance(handler, partial) and hasattr(handler, "is_websocket") and handler.args:
        return handler.args[0]
    return None


def view_of(handler: object) -> type | None:
    """The class of a class-based view's handler."""
    view = getattr(handler, "view_class", None)
    return view if isinstance(view, type) else None


def method_mark(view: type, method: str) -> Access | None:
    """The mark of the view's method that Sanic calls for an HTTP method: a HEAD without one goes to `get`."""
    function = getattr(view, method.lower(), None)
    if function is None and method == "HEAD":
        function = getattr(view, "get", None)
    return mark_of(function)


def marks_on(handler: object, methods: Iterable[str]) -> Iterator[Access]:
    """Every mark on a route's handler, its view, and the view's methods."""
    view = view_of(handler)
    marks = [handler_mark(handler)]
    if view is not None:
        marks += [mark_of(view), *(method_mark(view, method) for method in methods)]
    yield from (mark for mark in marks if mark is not None)


def is_generated(handler: object) -> bool:
    """Whether sanic-ext made this handler (HEAD beside GET, OPTIONS beside everything)."""
    return getattr(handler, "__auto_handler__", False) is True


def hidden_marks(handler: object) -> Iterator[tuple[object, Access]]:
    """Marked functions and classes that `handler` refers to without carrying their mark, each with its mark."""
    start = unmarked(handler)
    seen = {id(handler), id(start)}
    todo = deque(_referents(start))
    while todo and len(seen) < _MAX_VISITED:
        target = todo.popleft()
        if id(target) in seen or isinstance(target, _LEAVES):
            continue
        seen.add(id(target))
        mark = _mark_of_anything(target)
        if mark is not None:
            yield target, mark
        elif not isinstance(target, type):
            todo.extend(_referents(target))


def _mark_of_anything(target: object) -> Access | None:
    try:
        return mark_of(target) if callable(target) else None
    except Exception:  # noqa: BLE001  (a proxy that stands for nothing yet may raise whatever it likes)
        return None


def _referents(target: object) -> list[object]:
    """What an object holds: of a function its closure, defaults and attributes, not the names of its module."""
    if isinstance(target, FunctionType):
        return [target.__closure__, target.__defaults__, target.__kwdefaults__, vars(target)]
    if isinstance(target, MethodType):
        return [target.__self__, target.__func__]
    return gc.get_referents(target)
