"""The reference of all settings, from the definitions that read them: in a file, and in the environment.

Rules of this file: names, defaults and meanings are those of the dataclasses that check them; which variable sets what
is `settings_list.VARIABLES`. Nothing is written by hand but the headings.
"""

from __future__ import annotations

import griffe

from bearward.jwks.options import COUNTS, SECONDS
from bearward.settings_list import SECRET_FILES, VARIABLES, Table
from tools.site.api import arguments, cell, constructor, found_object

TABLES = {
    Table.TOP: ("bearward.settings.Settings", {"extra", "prefix", "given_as", "files", "issuers"}),
    Table.ISSUER: ("bearward.trusted_issuer.TrustedIssuer", {"jwks_options"}),
    Table.KEYS: ("bearward.jwks.options.JWKSOptions", {"sources"}),
    Table.REVOCATIONS: ("bearward.revocation.shared.SharedRevocations", {"clock"}),
    Table.DPOP: ("bearward.dpop.policy.DPoP", {"nonces", "required"}),
}


def settings_reference(_name: str = "") -> str:
    """One table for each table of a file, then the variables (which also say what only `[dpop]` has: `mode`, `nonce`)."""
    parts = [_section(table, *row) for table, row in TABLES.items()]
    return "\n\n".join([*parts, _variables()])


def undescribed() -> list[str]:
    """Settings that nothing describes."""
    return [
        f"{path}.{name}"
        for path, without in TABLES.values()
        for name, _, meaning in _rows(path, without)
        if not meaning
    ]


def _rows(path: str, without: set[str]) -> list[tuple[str, str, str]]:
    found = found_object(path)
    made = constructor(found, path) if isinstance(found, griffe.Class) else None
    if made is None:
        raise TypeError(path)
    rows = []
    for item in made.arguments:
        if item.name in without:
            continue
        default = "required" if item.default is None else _shown(str(item.default))
        said = (
            made.fields.get(item.name)
            or arguments().get(f"{_public(path)}.{item.name}")
            or arguments().get(item.name, "")
        )
        rows.append((item.name, default, said + _limits(path, item.name) if said else ""))
    return rows


def _shown(default: str) -> str:
    """A default as one would write it in a file."""
    if default in ("None", "()", "frozenset()", "dict()", "field(default_factory=dict)"):
        return "none"
    plain = {"_MEMORY": "memory://", "False": "false", "True": "true", "DPOP_ALGORITHMS": "all of them"}.get(
        default, default
    )
    plain = plain.rpartition(".")[2].lower() if plain[:1].isupper() else plain
    return f"`{cell(plain)}`"


def _limits(path: str, name: str) -> str:
    """The bounds of a number, from where they are checked."""
    if not path.endswith(".JWKSOptions"):
        return ""
    unit, (least, most) = ("seconds, ", SECONDS[name]) if name in SECONDS else ("", COUNTS.get(name, (0, 0)))
    return f" ({unit}{least:,g} to {most:,.0f})" if most else ""


def _public(path: str) -> str:
    return f"bearward.{path.rpartition('.')[2]}"


def _section(table: Table, path: str, without: set[str]) -> str:
    variables = {setting.name: name for name, setting in VARIABLES.items() if setting.table is table}
    title = f"`{table}`" if table.startswith("[") else f"{table[0].upper()}{table[1:]}"
    lines = [f"## {title}", "", "| setting | variable | default | |", "| --- | --- | --- | --- |"]
    for name, default, meaning in _rows(path, without):
        variable = f"`{variables[name]}`" if name in variables else ""
        lines.append(f"| `{name}` | {variable} | {default} | {cell(meaning)} |")
    return "\n".join(lines)


def _variables() -> str:
    lines = ["## Variables", "", "| variable | sets | must be |", "| --- | --- | --- |"]
    lines += [
        f"| `{name}` | `{setting.name}` in {_where(setting.table)} | {cell(setting.kind.must)} |"
        for name, setting in sorted(VARIABLES.items())
    ]
    lines += [
        f"| `{name}` | the variable without `_FILE` | the name of a readable file |" for name in sorted(SECRET_FILES)
    ]
    return "\n".join(lines)


def _where(table: Table) -> str:
    return f"`{table}`" if table.startswith("[") else str(table)
