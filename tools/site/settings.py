"""The reference of all settings, from the definitions that read them: in a file, and in the environment.

Rules of this file: names, variables, and which are secrets, are those of the one list of settings; defaults and meanings
are those of the classes that check the values. Nothing is written by hand.
"""

from __future__ import annotations

import griffe

from bearward.jwks.options import COUNTS, SECONDS
from bearward.settings.catalogue import SECRET_FILES, VARIABLES, Setting, Table, settings_in
from tools.site.api import arguments, cell, constructor, found_object

_QUOTE = "'"
CLASSES = {
    Table.TOP: "bearward.settings.Settings",
    Table.ISSUER: "bearward.trusted_issuer.TrustedIssuer",
    Table.TENANTS: "bearward.issuers.tenants.TenantIssuers",
    Table.KEYS: "bearward.jwks.options.JWKSOptions",
    Table.SYMMETRIC_KEYS: "bearward.jose.jwk.SymmetricKey",
    Table.REVOCATIONS: "bearward.revocation.shared.SharedRevocations",
    Table.DPOP: "bearward.dpop.policy.DPoP",
}
"""What checks the settings of each table, where it says what they mean."""


def settings_reference(_name: str = "") -> str:
    """One table for each table of a file, then all variables."""
    return "\n\n".join([*(_section(table) for table in Table), _variables()])


def undescribed() -> list[str]:
    """Settings of an issuer, of keys and of revocations that no class describes."""
    described = {table: _rows(path) for table, path in CLASSES.items()}
    own = {"keys", "profile"}  # which the text of the page is about
    tables = (Table.ISSUER, Table.TENANTS, Table.KEYS, Table.REVOCATIONS)
    names = [(table, name) for table in tables for name in settings_in(table) if name not in own]
    return [f"{table}.{name}" for table, name in names if not described[table].get(name, ("", ""))[1]]


def _rows(path: str) -> dict[str, tuple[str, str]]:
    """Default and meaning of each argument of a class."""
    found = found_object(path)
    made = constructor(found, path) if isinstance(found, griffe.Class) else None
    if made is None:
        raise TypeError(path)
    rows = {}
    for item in made.arguments:
        default = "required" if item.default is None else _shown(str(item.default))
        said = (
            made.fields.get(item.name)
            or arguments().get(f"{_public(path)}.{item.name}")
            or arguments().get(item.name, "")
        )
        rows[item.name] = (default, said + _limits(path, item.name) if said else "")
    return rows


def _shown(default: str) -> str:
    """A default as one would write it in a file."""
    if default in ("None", "()", "frozenset()", "dict()", "field(default_factory=dict)"):
        return "none"
    plain = {"_MEMORY": "memory://", "False": "false", "True": "true", "DPOP_ALGORITHMS": "all of them"}.get(
        default, default
    )
    plain = plain.rpartition(".")[2].lower() if plain[:1].isupper() else plain
    return f"`{cell(plain.strip(_QUOTE))}`"


def _limits(path: str, name: str) -> str:
    """The bounds of a number, from where they are checked."""
    if not path.endswith(".JWKSOptions"):
        return ""
    unit, (least, most) = ("seconds, ", SECONDS[name]) if name in SECONDS else ("", COUNTS.get(name, (0, 0)))
    return f" ({unit}{least:,g} to {most:,.0f})" if most else ""


def _public(path: str) -> str:
    return f"bearward.{path.rpartition('.')[2]}"


def _section(table: Table) -> str:
    rows = _rows(CLASSES[table]) if table in CLASSES else {}
    title = f"`{table}`" if table.startswith("[") else f"{table[0].upper()}{table[1:]}"
    lines = [f"## {title}", "", "| setting | variable | default | |", "| --- | --- | --- | --- |"]
    for name, setting in settings_in(table).items():
        default, meaning = rows.get(name, ("none", ""))
        variable = f"`{setting.variable}`" if setting.variable else ""
        lines.append(f"| `{name}` | {variable} | {default} | {cell(_said(setting, meaning))} |")
    return "\n".join(lines)


def _said(setting: Setting, meaning: str) -> str:
    said = meaning or setting.kind.must
    return f"{said} (may be, or hold, a secret)" if setting.secret else said


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
