"""The values of claims: read-only as a principal shows them, plain as JSON has them.

Rule of this file: pure; the values are those of parsed JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["frozen_claims", "printable_name", "scopes_of", "to_plain"]


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The granted scopes: `scope` (RFC 8693 section 4.2, space separated) or, as some issuers send it, `scp`."""
    granted = claims.get("scope", claims.get("scp", ()))
    if isinstance(granted, str):
        return frozenset(scope for scope in granted.split(" ") if scope)
    if isinstance(granted, list | tuple):
        return frozenset(scope for scope in granted if isinstance(scope, str))
    return frozenset()


def frozen_claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy: objects become read-only mappings, arrays tuples, however deep."""
    own = dict(claims)
    kinds = [*map(type, own.values())]  # most claims sets are flat, or have one array: look before walking
    if list in kinds or dict in kinds:
        for name, value in own.items():
            if type(value) is list or type(value) is dict:
                own[name] = _frozen(value)
    return MappingProxyType(own)


def to_plain(value: Any) -> Any:
    """The same as plain JSON values: dicts and lists."""
    if isinstance(value, Mapping):
        return {name: to_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def printable_name(name: str) -> str:
    """The name of a claim, fit for one line of a log: whoever names claims chooses no line feeds there."""
    return name if name.isidentifier() else repr(name)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(item) for name, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
