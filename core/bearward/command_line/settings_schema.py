"""The JSON Schema of a settings file, made of the list of settings that `Settings` reads by.

Rules of this file: pure. A setting that is added to the list is in the schema. What a schema cannot say (which settings
go together) is left to `bearward config check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bearward.profiles.build import Options
from bearward.profiles.by_name import FUNCTIONS, arguments_of, flags_of
from bearward.settings.catalogue import Table, settings_in

__all__ = ["settings_schema"]

_STRING: dict[str, Any] = {"type": "string"}
_FILE: dict[str, Any] = {**_STRING, "description": "the path of a file that holds it"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}


def settings_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a settings file, as TOML reads it.

    >>> sorted(settings_schema()["properties"])[:3]
    ['cache', 'cache_file', 'cache_secret']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of bearward",
        **_table(
            {
                **_properties(Table.TOP),
                "issuers": {"type": "array", "minItems": 1, "items": {"anyOf": [*_issuers()]}},
                "revocations": _table(_properties(Table.REVOCATIONS), needed=["on_failure"]),
                "dpop": _table(_properties(Table.DPOP)),
            },
            needed=["issuers"],
        ),
    }


def _issuers() -> Iterable[dict[str, Any]]:
    """A table `[[issuers]]`: by its fields, by a template, or by a profile."""
    own = _issuer()
    yield _table(own, needed=["issuer"])
    tenants = {name: schema for name, schema in own.items() if name != "issuer"} | _properties(Table.TENANTS)
    yield _table(tenants, needed=["template"])
    for profile in FUNCTIONS:
        yield _profile(profile, own)


def _issuer() -> dict[str, Any]:
    own = _properties(Table.ISSUER)
    own.pop("profile")
    return own | {
        "keys": _table(_properties(Table.KEYS)),
        "place": _table(_properties(Table.PLACE)),
        "symmetric_keys": {"type": "array", "items": _table(_properties(Table.SYMMETRIC_KEYS))},
        "token_types": {**own["token_types"], "description": "an empty string stands for an absent typ"},
    }


def _properties(table: Table) -> dict[str, Any]:
    """The settings of a table; a secret may be in a file instead."""
    properties: dict[str, Any] = {}
    for name, setting in settings_in(table).items():
        properties[name] = dict(setting.kind.schema)
        if setting.secret and setting.kind.schema.get("type") != "array":
            properties[f"{name}_file"] = _FILE
    return properties


def _profile(profile: str, own: Mapping[str, Any]) -> dict[str, Any]:
    needed, optional = arguments_of(profile)
    flags = flags_of(profile)
    given = {name: _BOOLEAN if name in flags else own.get(name, {}) for name in (*needed, *optional)}
    options = {
        "keys" if name == "jwks_options" else name: own.get(name, {}) for name in sorted(Options.__annotations__)
    }
    options["keys"] = own["keys"]
    return _table({"profile": {"const": profile}, **options, **given}, needed=["profile", *needed])


def _table(properties: Mapping[str, Any], *, needed: Iterable[str] = ()) -> dict[str, Any]:
    table: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    required = list(needed)
    return {**table, "required": required} if required else table
