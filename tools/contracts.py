"""Import contracts that import-linter does not bring: its custom contract types for this project.

Rule of this file: a module is pure until it is named as one that does I/O, so a new file is held to the rule before
anybody thinks of listing it. As every module that is not named may import nothing but such modules, looking at direct
imports is enough: purity follows by induction.
"""

from __future__ import annotations

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class Pure(Contract):
    """`deciding does no I/O`: every module below `package`, but for `io_modules` and what is below them.

    A pure module imports no `forbidden` top-level package, and no I/O module of ours. `facades` are packages whose
    `__init__` offers names of both kinds: they do I/O, what is below them need not.
    """

    type_name = "pure"

    package = fields.StringField()
    io_modules = fields.ListField(subfield=fields.StringField())
    facades = fields.ListField(subfield=fields.StringField())
    forbidden = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  (import-linter's signature)
        """Look at every direct import of every pure module."""
        package, forbidden = cast("str", self.package), _names(self.forbidden)
        io_modules, facades = _names(self.io_modules), _names(self.facades)
        ours = {package, *graph.find_descendants(package)}
        does_io = {module for module in ours if module in facades or any(_within(module, io) for io in io_modules)}
        broken = [
            f"{module} imports {imported} (line {line})"
            for module in sorted(ours - does_io)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported in does_io or imported.partition(".")[0] in forbidden
            for line in _lines(graph, module, imported)
        ]
        output.verbose_print(verbose, f"pure: {', '.join(sorted(ours - does_io))}")
        broken += [
            f"{module} is listed as doing I/O, and is not there" for module in sorted({*io_modules, *facades} - ours)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say each breach on its own line."""
        for line in check.metadata["broken"]:
            output.print_error(line)


class Boundary(Contract):
    """`one boundary each`: of all modules of ours, only `importers` (and what is below them) import `external`."""

    type_name = "boundary"

    external = fields.ListField(subfield=fields.StringField())
    importers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  (the signature)
        """Look at who imports the external package."""
        importers = _names(self.importers)
        broken = [
            f"{module} imports {external} (line {line})"
            for external in _names(self.external)
            if external in graph.modules
            for module in sorted(graph.find_modules_that_directly_import(external))
            if not any(_within(module, allowed) for allowed in importers)
            for line in _lines(graph, module, external)
        ]
        broken += [f"{module} is listed, and is not there" for module in importers if module not in graph.modules]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say each breach on its own line."""
        for line in check.metadata["broken"]:
            output.print_error(line)


def _names(field: object) -> list[str]:
    return cast("list[str]", field)  # import-linter puts the values where the class declares the field


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _lines(graph: ImportGraph, importer: str, imported: str) -> list[int]:
    return sorted(detail["line_number"] for detail in graph.get_import_details(importer=importer, imported=imported))
