"""The JSON Schema of a settings file, made of the definitions that `Settings` reads by.

Rules of this file: pure. Names and types are those of `TrustedIssuer`, `JWKSOptions`, `SymmetricKey` and the profiles; a
setting that is added there is in the schema. What a schema cannot say (which settings go together) is left to
`bearward config check`.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bearward import settings_toml as names
from bearward.credential_place import CredentialPlace
from bearward.jose.algorithms import ALGORITHMS
from bearward.jwks import options as jwks_options
from bearward.jwks.options import JWKSOptions
from bearward.profiles.build import Options
from bearward.profiles.by_name import FUNCTIONS, arguments_of, flags_of
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["settings_schema"]

_STRING: dict[str, Any] = {"type": "string"}
_FILE: dict[str, Any] = {"type": "string", "description": "the path of a file that holds it"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_STRINGS: dict[str, Any] = {"anyOf": [_STRING, {"type": "array", "items": _STRING}]}
_SIMPLE: dict[Any, dict[str, Any]] = {
    str: _STRING,
    bytes: _STRING,
    bool: _BOOLEAN,
    int: {"type": "integer"},
    float: {"type": "number"},
}


def settings_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a settings file, as TOML reads it.

    >>> sorted(settings_schema()["properties"])[:3]
    ['cache', 'cache_secret', 'cache_secret_file']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of bearward",
        **_table(
            {
                "cache": _STRING,
                "cache_secret": _STRING,
                "cache_secret_file": _FILE,
                "unsafe_allow_unauthenticated_cache": _BOOLEAN,
                "token_cache": {"type": "integer", "minimum": 0},
                "explain": _BOOLEAN,
                "unsafe_explain_remote": _BOOLEAN,
                "issuers": {"type": "array", "minItems": 1, "items": {"anyOf": [*_issuers()]}},
                "revocations": _table(_revocations(), needed=["on_failure"]),
                "dpop": _table(_dpop()),
            },
            needed=["issuers"],
        ),
    }


def _issuers() -> Iterable[dict[str, Any]]:
    """A table `[[issuers]]`: by its fields, by a template, or by a profile."""
    own = _issuer()
    yield _table(own, needed=["issuer"])
    template = {"template": _STRING, "tenants": _STRINGS, "max_tenants": {"type": "integer", "minimum": 1}}
    yield _table({**{name: value for name, value in own.items() if name != "issuer"}, **template}, needed=["template"])
    for profile in FUNCTIONS:
        yield _profile(profile, own)


def _issuer() -> dict[str, Any]:
    hints = get_type_hints(TrustedIssuer)
    return {name: _special().get(name) or _of_type(hints[name]) for name in sorted(names.ISSUER_NAMES)}


def _special() -> dict[str, dict[str, Any]]:
    """What a file says otherwise than Python does."""
    strings = {"type": "array", "items": _STRING}
    secret = {
        "algorithm": {"enum": [name for name in ALGORITHMS if name.startswith("HS")]},
        "kid": _STRING,
        "secret": _STRING,
        "secret_base64url": _STRING,
        "secret_file": _FILE,
        "secret_base64url_file": _FILE,
    }
    return {
        "keys": _table(_options()),
        "symmetric_keys": {"type": "array", "items": _table(secret)},
        "place": _table(_place()),
        "rights": {"anyOf": [_STRING, {"type": "array"}]},
        "algorithms": {"anyOf": [{"enum": [*ALGORITHMS]}, {"type": "array", "items": {"enum": [*ALGORITHMS]}}]},
        "token_types": {"anyOf": [_STRING, strings], "description": "an empty string stands for an absent typ"},
    }


def _place() -> dict[str, Any]:
    hints = get_type_hints(CredentialPlace)
    return {field.name: _of_type(hints[field.name]) for field in fields(CredentialPlace)}


def _options() -> dict[str, Any]:
    hints = get_type_hints(JWKSOptions)
    options = {name: _of_type(hints[name]) for name in sorted(names.OPTION_NAMES)}
    for name, (least, most) in {**jwks_options.SECONDS, **jwks_options.COUNTS}.items():
        options[name] = {**options[name], "minimum": least, "maximum": most}
    return options


def _profile(profile: str, own: Mapping[str, Any]) -> dict[str, Any]:
    needed, optional = arguments_of(profile)
    flags = flags_of(profile)
    given = {name: _BOOLEAN if name in flags else own.get(name, {}) for name in (*needed, *optional)}
    options = {
        "keys" if name == "jwks_options" else name: own.get(name, {}) for name in sorted(Options.__annotations__)
    }
    options["keys"] = own["keys"]
    return _table({"profile": {"const": profile}, **options, **given}, needed=["profile", *needed])


def _revocations() -> dict[str, Any]:
    numbers = {name: {"type": "number", "minimum": 0} for name in ("grace", "poll_interval")}
    strings = dict.fromkeys(sorted(names.REVOCATION_NAMES - numbers.keys()), _STRING)
    return {**strings, **numbers, "on_failure": {"enum": ["refuse", "accept"]}, "cache_secret_file": _FILE}


def _dpop() -> dict[str, Any]:
    table: dict[str, Any] = {name: {} for name in sorted(names.DPOP_NAMES)}
    return table | {
        "mode": {"enum": ["off", "allowed", "required"]},
        "origins": _STRINGS,
        "algorithms": _STRINGS,
        "window": {"type": "number", "minimum": 1, "maximum": 600},
        "prefix": _STRING,
    }


def _table(properties: Mapping[str, Any], *, needed: Iterable[str] = ()) -> dict[str, Any]:
    table: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    required = list(needed)
    return {**table, "required": required} if required else table


def _of_type(hint: Any) -> dict[str, Any]:
    """The schema of an annotation; `{}`, which takes everything, where it says nothing that JSON knows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _any_of([_of_type(each) for each in arguments if each is not types.NoneType])
    if origin is Literal:
        return {"enum": [*arguments]}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if isinstance(origin, type):
        return _of_container(origin)
    return _STRING if hint is jwks_options.FilePath else _SIMPLE.get(hint, {})


def _any_of(options: list[dict[str, Any]]) -> dict[str, Any]:
    distinct = [option for index, option in enumerate(options) if option not in options[:index]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _of_container(origin: type) -> dict[str, Any]:
    if issubclass(origin, Mapping):
        return {"type": "object"}
    return _STRINGS if issubclass(origin, Collection) else {}
