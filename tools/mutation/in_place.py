"""A change of a file, made in the functions of a process that has imported it.

Rules of this file: functions keep their identity and get other code, so that whoever holds one (a decorator, a class, a
callback) runs the change. What a function did while its module was imported is not undone.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import CodeType, FunctionType

__all__ = ["NotInPlaceError", "put_in_place"]


class NotInPlaceError(Exception):
    """The change cannot be made in functions that exist."""


def put_in_place(path: str, before: str, after: str) -> None:
    """Give every function of the file at `path` the code that `after` has for it, where it differs from `before`.

    Raise `NotInPlaceError` where no function that exists has the old code, or it cannot take the new one.
    """
    old, new = compile(before, path, "exec", dont_inherit=True), compile(after, path, "exec", dont_inherit=True)
    changed = {(a.co_qualname, a.co_firstlineno): b for a, b in _pairs(old, new) if a != b and a.co_flags & 1}
    if not changed:
        raise NotInPlaceError("no function differs")
    taken = 0
    for function in [one for one in gc.get_objects() if type(one) is FunctionType and one.__code__.co_filename == path]:
        code = changed.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code is not None:
            try:
                function.__code__ = code
            except ValueError as error:  # it closes over something that the new code does not use, or the reverse
                raise NotInPlaceError(str(error)) from None
            taken += 1
    if not taken:
        raise NotInPlaceError("no function that exists has this code")


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The code of each function before and after; a change adds and removes none."""
    yield old, new
    inner = [[const for const in code.co_consts if isinstance(const, CodeType)] for code in (old, new)]
    if [code.co_name for code in inner[0]] != [code.co_name for code in inner[1]]:
        return
    for before, after in zip(*inner, strict=True):
        yield from _pairs(before, after)
