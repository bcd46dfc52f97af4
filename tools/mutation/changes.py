"""The small ways in which a stateful file is changed: as edits of its text, found by its syntax tree.

Rules of this file: pure. An edit is one that a tired programmer could make: a condition that always or never holds, one
operand of `and` or `or` left out, a comparison turned or off by one, a statement forgotten, a `not` forgotten, a value
not returned, or True in the place of False. What is only said (docstrings, logs, messages) and what only the type checker sees is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Change", "changes_of", "functions"]

_TURNED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_SAYS = ("logger", "_logger", "_log", "warnings")


@dataclass(frozen=True)
class Change:
    """In `function`, the characters from `start` to `end` of the text become `after`."""

    function: str
    start: int
    end: int
    after: str

    def made(self, text: str) -> str:
        """The text with the change."""
        return text[: self.start] + self.after + text[self.end :]

    def made_on_its_lines(self, text: str) -> str:
        """The text with the change, where everything after it stays on the line where it was."""
        joined = " \\\n" * (text[self.start : self.end].count("\n") - self.after.count("\n"))
        return text[: self.start] + self.after + joined + text[self.end :]


def changes_of(text: str) -> list[Change]:
    """Every change of every function of a file, in the order of its lines."""
    return list(dict.fromkeys(_Finder(text).changes()))


class _Finder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tree = ast.parse(text)
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def changes(self) -> Iterator[Change]:
        for node, name in functions(self._tree):
            for inner in _own_nodes(node):
                for place, after in self._edits(inner):
                    start, end = self._span(place)
                    if self._text[start:end] != after:
                        yield Change(name, start, end, after)

    def _edits(self, node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
        if isinstance(node, ast.If | ast.IfExp):
            yield node.test, "True"
            yield node.test, "False"
        elif isinstance(node, ast.BoolOp):
            for left_out in node.values:
                rest = [f"({ast.unparse(value)})" for value in node.values if value is not left_out]
                yield node, f"({(' and ' if isinstance(node.op, ast.And) else ' or ').join(rest)})"
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            turned = _TURNED[type(node.ops[0])]
            yield node, f"({ast.unparse(node.left)}) {turned} ({ast.unparse(node.comparators[0])})"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, f"({ast.unparse(node.operand)})"
        else:
            yield from self._statements(node)

    def _statements(self, node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and _does_something(node.value)):
            yield node, "pass"
        elif isinstance(node, ast.Return) and not (node.value is None or _is_none(node.value)):
            # None is as false as False, so that would be no change
            yield node, "return True" if _is_false(node.value) else "return None"
        elif isinstance(node, ast.AugAssign):
            yield node, "pass"

    def _span(self, node: ast.AST) -> tuple[int, int]:
        first, last = getattr(node, "lineno"), getattr(node, "end_lineno")  # noqa: B009  (not every node has them)
        return (
            self._lines[first - 1] + self._characters(first, getattr(node, "col_offset")),  # noqa: B009
            self._lines[last - 1] + self._characters(last, getattr(node, "end_col_offset")),  # noqa: B009
        )

    def _characters(self, line: int, octets: int) -> int:
        text = self._text[self._lines[line - 1] : self._lines[line]]
        return len(text.encode("utf-8")[:octets].decode("utf-8"))


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Every function below `tree`, with the names of what it stands in before its own."""
    for node in ast.iter_child_nodes(tree):
        name = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, f"{name}.")


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function, without the functions inside it, `repr`s and annotations."""
    if getattr(function, "name", "") == "__repr__":
        return
    waiting: list[ast.AST] = list(getattr(function, "body", ()))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.JoinedStr | ast.Assert):
            continue
        yield node
        children = ast.iter_child_nodes(node)
        waiting += [child for child in children if not (isinstance(node, ast.AnnAssign) and child is node.annotation)]


def _does_something(value: ast.expr) -> bool:
    if isinstance(value, ast.Await):
        return True
    return isinstance(value, ast.Call) and ast.unparse(value.func).partition(".")[0] not in _SAYS


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
