"""From the tables of a configuration file to trusted issuers: every field by its own name, nothing unknown or guessed.

Rules of this file: pure. The names are those of `TrustedIssuer`, `JWKSOptions`, `SymmetricKey` and `SharedRevocations`;
a wrong type or an unknown name is a `ConfigurationError` that says where: `issuers[0].keys.max_age`. A `${…}` that nobody
replaced is no value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

from bearward.credential_place import CredentialPlace
from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.base64url import decode
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.mistakes import Mistakes, hint, made_of, renamed
from bearward.profiles.by_name import Trusted, trusted_by_profile
from bearward.trusted_issuer import TrustedIssuer

__all__ = [
    "DPOP_NAMES",
    "ISSUER_NAMES",
    "OPTION_NAMES",
    "REVOCATION_NAMES",
    "STAND_INS",
    "dpop_table",
    "error_context",
    "numbered_issuers",
    "reject_placeholder",
    "reject_placeholders",
    "reject_unknown",
    "shared_revocations",
    "string_value",
    "trusted_issuers",
]

T = TypeVar("T")

# What a file cannot say: objects of the program.
OPTION_NAMES = frozenset(field.name for field in fields(JWKSOptions) if field.init) - {"sources"}
ISSUER_NAMES = frozenset(field.name for field in fields(TrustedIssuer) if field.init) - {
    "jwks_options",
    "claims_type",
} | {"keys"}
_PLACE = frozenset(field.name for field in fields(CredentialPlace))
_TENANTS = frozenset({"template", "tenants", "max_tenants"})
_SECRET = frozenset({"algorithm", "kid", "secret", "secret_base64url"})
REVOCATION_NAMES = frozenset({"cache", "cache_secret", "grace", "name", "on_failure", "poll_interval"})
DPOP_NAMES = frozenset({"algorithms", "mode", "nonce", "on_failure", "origins", "prefix", "window"})
STAND_INS: Mapping[str, Any] = {
    "issuer": "https://issuer.invalid",
    "audience": "an audience",
    "jwks_uri": "https://issuer.invalid/jwks",
    "metadata_uri": "https://issuer.invalid/metadata",
    "pem_uri": "https://issuer.invalid/keys",
    "template": "https://{tenant}.invalid",
}
"""In place of what is wrong, so that nothing else seems wrong for that reason."""
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_PATHS = frozenset({"ca_file", "client_cert", "client_key", "jwks_file", "proxy", "snapshot_dir"})


@contextmanager
def error_context(place: str) -> Iterator[None]:
    """Name settings by where they stand: `audience` becomes `issuers[0].audience`."""
    try:
        yield
    except ConfigurationError as error:
        raise renamed(error, lambda setting: f"{place}.{setting}") from None


def reject_unknown(table: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise ConfigurationError for the names that are no settings: a misspelt one must not go unnoticed."""
    mistakes = Mistakes()
    for name in table:
        if name not in known:
            mistakes.add(ConfigurationError(name, f"is not a setting here; {hint(name, known)}"))
    mistakes.raise_any()


def reject_placeholder(name: str, value: object) -> None:
    """Raise ConfigurationError for a string with `${…}`, which a template engine or a shell should have replaced."""
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        raise ConfigurationError(name, "must not hold a placeholder that was not filled in: ${…}")


def reject_placeholders(name: str, value: object) -> None:
    """The same for everything in a table or an array, naming each place."""
    mistakes = Mistakes()
    with mistakes.collected():
        reject_placeholder(name, value)
    if isinstance(value, dict):
        for key, item in value.items():
            with mistakes.collected():
                reject_placeholders(f"{name}.{key}" if name else key, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            with mistakes.collected():
                reject_placeholders(f"{name}[{index}]", item)
    mistakes.raise_any()


def string_value(name: str, value: object) -> str:
    """The value of `name`, which must be a string."""
    if not isinstance(value, str):
        raise ConfigurationError(name, "must be a string")
    return value


def trusted_issuers(tables: object) -> tuple[Trusted, ...]:
    """The issuers that the array of tables `[[issuers]]` describes, each by its fields, a template or a profile."""
    return tuple(trusted for _, trusted in numbered_issuers(tables))


def numbered_issuers(tables: object) -> tuple[tuple[int, Trusted], ...]:
    """The same, each with the number of its table: a profile may come to several."""
    issuers: list[tuple[int, Trusted]] = []
    mistakes = Mistakes()
    for index, table in enumerate(_tables("issuers", tables)):
        with mistakes.collected(), error_context(f"issuers[{index}]"):
            issuers += ((index, trusted) for trusted in _trusted(table))
    mistakes.raise_any()
    if not issuers:
        raise ConfigurationError("issuers", "must name at least one issuer, each in a table [[issuers]]")
    return tuple(issuers)


def shared_revocations(value: object) -> dict[str, Any]:
    """What the table `[revocations]` gives to `SharedRevocations`, which checks the values itself."""
    table = _table("revocations", value)
    with error_context("revocations"):
        reject_unknown(table, REVOCATION_NAMES)
        if "on_failure" not in table:
            raise ConfigurationError("on_failure", 'must be "refuse" or "accept"')
        strings = {name: string_value(name, table[name]) for name in ("cache", "cache_secret") if name in table}
    values = {**table, **strings}
    return values if "cache_secret" not in strings else {**values, "cache_secret": strings["cache_secret"].encode()}


def dpop_table(value: object) -> dict[str, Any]:
    """What the table `[dpop]` says; `bearward.settings_dpop` judges the values."""
    table = _table("dpop", value)
    with error_context("dpop"):
        reject_unknown(table, DPOP_NAMES)
        origins = table.get("origins", ())
        if not isinstance(origins, str | list | tuple) or any(not isinstance(origin, str) for origin in origins):
            raise ConfigurationError("origins", "must be an array of strings, such as https://api.example")
    return dict(table)


def _trusted(table: Mapping[str, Any]) -> tuple[Trusted, ...]:
    if "profile" in table:
        return _by_profile(table)
    if "template" in table:
        return (_tenant_issuers(table),)
    mistakes = Mistakes()
    with mistakes.collected():
        reject_unknown(table, ISSUER_NAMES)
    if "issuer" not in table:
        mistakes.add(ConfigurationError("issuer", "must be the exact `iss` of the tokens, a non-empty string"))
    values = _values({name: value for name, value in table.items() if name in ISSUER_NAMES}, mistakes)
    values.setdefault("issuer", STAND_INS["issuer"])
    made: tuple[Trusted, ...] = ()
    with mistakes.collected():
        made = (made_of(TrustedIssuer, values, STAND_INS),)
    mistakes.raise_any()
    return made


def _by_profile(table: Mapping[str, Any]) -> tuple[Trusted, ...]:
    """The arguments of a profile are its own; what all issuers have is read as for all."""
    known = {name: value for name, value in table.items() if name in ISSUER_NAMES}
    mistakes = Mistakes()
    read = _values(known, mistakes)
    arguments = {name: value for name, value in table.items() if name not in known} | read
    profile = string_value("profile", arguments.pop("profile"))
    made: tuple[Trusted, ...] = ()
    with mistakes.collected():
        made = made_of(partial(_by_arguments, profile), arguments, {})
    mistakes.raise_any()
    return made


def _by_arguments(profile: str, /, **arguments: Any) -> tuple[Trusted, ...]:
    return trusted_by_profile(profile, arguments)


def _tenant_issuers(table: Mapping[str, Any]) -> TenantIssuers:
    names = ISSUER_NAMES - {"issuer"}
    mistakes = Mistakes()
    with mistakes.collected():
        reject_unknown(table, names | _TENANTS)
    own = {name: table[name] for name in _TENANTS & table.keys()}
    values = _values({name: value for name, value in table.items() if name in names}, mistakes)
    with mistakes.collected():
        own["template"] = string_value("template", own["template"])
        made = made_of(TenantIssuers, {**own, **values}, STAND_INS)
    try:
        mistakes.raise_any()
    except ConfigurationError as error:
        meant = {} if "tenants" in own else {"tenants": "template"}
        raise renamed(error, lambda setting: meant.get(setting, setting)) from None
    return made


def _values(table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """The fields of a `TrustedIssuer` as they stand in a table, each read by its kind, without those that are wrong."""
    read = _readers() | {name: _boolean for name in ISSUER_NAMES if name.startswith("unsafe_")}
    values: dict[str, Any] = {}
    for name, value in table.items():
        with mistakes.collected():
            values[name] = read.get(name, _as_it_is)(name, value)
    values |= {name: value for name, value in STAND_INS.items() if name in table.keys() - values.keys()}
    if "keys" in values:  # the short name of a table that people write by hand
        values["jwks_options"] = values.pop("keys")
    return values


def _readers() -> dict[str, Callable[[str, Any], Any]]:
    return {
        "keys": _options,
        "jwks": _table,
        "symmetric_keys": _symmetric_keys,
        "token_types": _token_types,
        "keys_are_ours": _boolean,
        "single_use": _boolean,
        "place": _place,
    }


def _as_it_is(_name: str, value: Any) -> Any:
    # `TrustedIssuer` and `JWKSOptions` check it themselves.
    return value


def _options(name: str, value: object) -> JWKSOptions:
    table = _table(name, value)
    with error_context(name):
        mistakes = Mistakes()
        with mistakes.collected():
            reject_unknown(table, OPTION_NAMES)
        for path in sorted(_PATHS & table.keys()):
            with mistakes.collected():
                string_value(path, table[path])
        options = JWKSOptions()
        with mistakes.collected():
            options = made_of(JWKSOptions, {name: table[name] for name in table.keys() & OPTION_NAMES}, {})
        mistakes.raise_any()
        return options


def _symmetric_keys(name: str, value: object) -> tuple[SymmetricKey, ...]:
    keys = []
    for index, table in enumerate(_tables(name, value)):
        with error_context(f"{name}[{index}]"):
            keys.append(_symmetric_key(table))
    return tuple(keys)


def _symmetric_key(table: Mapping[str, Any]) -> SymmetricKey:
    reject_unknown(table, _SECRET)
    strings = {name: string_value(name, value) for name, value in table.items()}
    if ("secret" in strings) == ("secret_base64url" in strings):
        raise ConfigurationError("secret", "must be given once: as secret (its text) or as secret_base64url")
    secret = strings.pop("secret", "").encode() or _octets(strings.pop("secret_base64url", ""))
    try:
        return SymmetricKey(secret, **strings)
    except ConfigurationError as error:
        raise ConfigurationError(error.setting.removeprefix("symmetric_keys."), error.requirement) from None


def _octets(encoded: str) -> bytes:
    try:
        return decode(encoded.encode("ascii"))
    except ValueError:
        raise ConfigurationError("secret_base64url", "must be base64url without padding") from None


def _token_types(name: str, value: object) -> tuple[str | None, ...]:
    """TOML has no null, so an empty string stands for an absent `typ`."""
    several = value if isinstance(value, list) else [value]
    return tuple(string_value(name, item) or None for item in several)


def _place(name: str, value: object) -> CredentialPlace:
    table = _table(name, value)
    with error_context(name):
        reject_unknown(table, _PLACE)
        for part in table.keys() - {"padded", "header_claims"}:
            string_value(part, table[part])
    return CredentialPlace(**table)


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(name, "must be true or false")
    return value


def _table(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(name, "must be a table")
    return value


def _tables(name: str, value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ConfigurationError(name, "must be an array of tables")
    return [_table(f"{name}[{index}]", item) for index, item in enumerate(value)]
