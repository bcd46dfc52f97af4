"""The reference of a public package, from its signatures and docstrings: every name, every argument with its default.

Rules of this file: the code is read, not imported (griffe), so the page says what stands there. What an argument means
is said by the docstring below a field, by the function's docstring in backticks, or, for names that mean the same
everywhere, by `arguments.toml`; an argument that none of them explains is listed by `unexplained`, and a test fails.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import griffe

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
ROOTS = {
    "bearward": "core",
    "bearward_pytest": "core",
    "bearward_grpc": "grpc_adapter",
    "bearward_sanic": "sanic_adapter",
}
PROTOCOL = re.compile(r"intercept_|add_generic_rpc|add_registered_method|__")
"""Methods whose arguments are those of the framework that calls them."""
_STARS = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
_LONGEST_VALUE, _LONGEST_DEFAULT, _LONGEST_LINE = 200, 40, 100


@cache
def _modules() -> griffe.ModulesCollection:
    loader = griffe.GriffeLoader(search_paths=[str(TOP / folder) for folder in ROOTS.values()])
    for root in ROOTS:
        loader.load(root)
    loader.resolve_aliases(implicit=True, external=False)
    return loader.modules_collection


@cache
def arguments() -> Mapping[str, str]:
    """What an argument means, by its name or by `package.Name.argument`."""
    return tomllib.loads((HERE / "arguments.toml").read_text(encoding="utf-8"))


def public_names(package: str) -> list[str]:
    """What `package` lists in `__all__`."""
    return [str(name) for name in _modules()[package].exports or ()]


def api_reference(package: str) -> str:
    """The Markdown of one public package."""
    parts = [_entry(package, name) for name in sorted(public_names(package), key=str.lower)]
    return "\n\n".join([_prose(_doc(_modules()[package])), *parts])


def unexplained(package: str) -> list[str]:
    """Arguments and names of `package` that nothing explains."""
    missing = []
    for name in public_names(package):
        path, found = f"{package}.{name}", _target(package, name)
        if not (_doc(found) or path in arguments()):
            missing.append(path)
        for item in _callables(found, path):
            missing += [f"{item.path}({argument.name})" for argument in item.arguments if not item.meaning(argument)]
    return missing


def found_object(path: str) -> griffe.Object:
    """The class or function of this full name."""
    member = _modules()[path]
    found = member.final_target if isinstance(member, griffe.Alias) else member
    if not isinstance(found, griffe.Object):
        raise TypeError(path)
    return found


@dataclass(frozen=True, slots=True)
class Documented:
    """A function, and what is said of its arguments: by its docstring, and by the fields of its class."""

    path: str
    function: griffe.Function
    doc: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[griffe.Parameter]:
        """What one passes."""
        return [item for item in self.function.parameters if item.name not in ("self", "cls")]

    def meaning(self, argument: griffe.Parameter) -> str:
        """What the argument means; empty if nothing says it."""
        name = argument.name
        own = arguments().get(f"{self.path}.{name}") or self.fields.get(name, "")
        if own:
            return own
        mentioned = re.search(rf"`\*{{0,2}}{re.escape(name)}\b", self.doc)
        return "see above" if mentioned else arguments().get(name, "")


def constructor(found: griffe.Class, path: str) -> Documented | None:
    """How an object of the class is made; None for an enumeration."""
    init = _resolved(found.all_members.get("__init__"))
    if any(str(base) in ("Enum", "StrEnum") for base in found.bases) or not isinstance(init, griffe.Function):
        return None
    fields = {name: _doc(member) for name, member in found.all_members.items() if member.is_attribute}
    return Documented(path, init, f"{_doc(found)}\n{_doc(init)}", fields)


def _target(package: str, name: str) -> griffe.Object:
    return found_object(f"{package}.{name}")


def _resolved(member: griffe.Object | griffe.Alias | None) -> object:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _callables(found: griffe.Object, path: str) -> Iterator[Documented]:
    """What can be called: the function, or the class and its methods."""
    if isinstance(found, griffe.Function):
        yield Documented(path, found, _doc(found))
    if isinstance(found, griffe.Class):
        if (made := constructor(found, path)) is not None:
            yield made
        for name, member in found.members.items():
            if isinstance(member, griffe.Function) and not name.startswith("_") and not PROTOCOL.match(name):
                yield Documented(f"{path}.{name}", member, _doc(member))


def _entry(package: str, name: str) -> str:
    path, found = f"{package}.{name}", _target(package, name)
    parts = [f"## {name}"]
    if isinstance(found, griffe.Attribute) and found.value and len(str(found.value)) < _LONGEST_VALUE:
        parts.append(f"```python\n{name} = {found.value}\n```")
    items = {item.path: item for item in _callables(found, path)}
    first = items.pop(path, None)
    parts += [
        "" if first is None else _signature(name, first.function, first.arguments),
        _prose(_doc(found) or arguments().get(path, "")),
        "" if first is None else _table(first),
    ]
    if isinstance(found, griffe.Class):
        parts.append(_attributes(found, set() if first is None else {item.name for item in first.arguments}))
    parts += [_method(found.name, item) for item in items.values()]
    return "\n\n".join(part for part in parts if part)


def _method(owner: str, item: Documented) -> str:
    name = item.function.name
    parts = [f"### {owner}.{name}", _signature(name, item.function, item.arguments), _prose(item.doc), _table(item)]
    return "\n\n".join(part for part in parts if part)


def _attributes(found: griffe.Class, given: set[str]) -> str:
    rows = [
        f"| `{name}` | {cell(doc)} |"
        for name, member in found.members.items()
        if member.is_attribute and not name.startswith("_") and name not in given and (doc := _doc(member))
    ]
    return "\n".join(["| attribute | |", "| --- | --- |", *rows]) if rows else ""


def _signature(name: str, function: griffe.Function, arguments_of: list[griffe.Parameter]) -> str:
    parts, named_only = [], False
    for item in arguments_of:
        prefix = _STARS.get(item.kind, "") if item.kind else ""
        if item.kind is griffe.ParameterKind.keyword_only and not named_only:
            parts.append("*")
        named_only = named_only or bool(prefix) or item.kind is griffe.ParameterKind.keyword_only
        default = "" if item.default is None or prefix else f"={item.default}"
        parts.append(f"{prefix}{item.name}{default if len(default) < _LONGEST_DEFAULT else '=…'}")
    opening = "async " if "async" in function.labels else ""
    returns = f" -> {function.returns}" if function.returns and function.name != "__init__" else ""
    line = f"{opening}{name}({', '.join(parts)}){returns}"
    if len(line) > _LONGEST_LINE:
        line = f"{opening}{name}(\n    " + ",\n    ".join(parts) + f",\n){returns}"
    return f"```text\n{line}\n```"


def _table(item: Documented) -> str:
    rows = []
    for argument in item.arguments:
        required = "any number" if argument.kind in _STARS else "required"
        default = (
            required if argument.default is None or argument.kind in _STARS else f"`{cell(str(argument.default))}`"
        )
        kind = f"`{cell(str(argument.annotation))}`" if argument.annotation else ""
        rows.append(f"| `{argument.name}` | {kind} | {default} | {cell(item.meaning(argument))} |")
    return "\n".join(["| argument | type | default | |", "| --- | --- | --- | --- |", *rows]) if rows else ""


def _doc(found: griffe.Object | griffe.Alias) -> str:
    return found.docstring.value if found.docstring else ""


def cell(text: str) -> str:
    """Text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _prose(doc: str) -> str:
    """A docstring as Markdown: its examples fenced, and no line taken for a heading."""
    lines: list[str] = []
    example = False
    for line in doc.splitlines():
        starts = line.startswith(">>> ")
        if starts and not example:
            lines += ["```pycon"]
            example = True
        if example and not line.strip():
            lines += ["```"]
            example = False
        lines.append(line if example or not line.startswith("#") else f"\\{line}")
    return "\n".join([*lines, "```"] if example else lines)
