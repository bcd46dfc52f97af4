"""From the tables `[[issuers]]` to trusted issuers: by fields, by a template of tenants, or by a profile.

Rules of this file: pure. The names are those of the list of settings; a wrong type or an unknown name is a
`ConfigurationError` that says where: `issuers[0].keys.max_age`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bearward.credential_place import CredentialPlace
from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.base64url import decode
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.mistakes import Mistakes, made_of
from bearward.profiles.by_name import Trusted, trusted_by_profile
from bearward.settings.catalogue import Table, names_in
from bearward.settings.tables import (
    array_of_tables,
    error_context,
    fitting,
    secret_value,
    string_value,
    table_value,
)
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["STAND_INS", "numbered_issuers", "trusted_issuers"]

STAND_INS: Mapping[str, Any] = {
    "issuer": "https://issuer.invalid",
    "audience": "an audience",
    "jwks_uri": "https://issuer.invalid/jwks",
    "metadata_uri": "https://issuer.invalid/metadata",
    "pem_uri": "https://issuer.invalid/keys",
    "template": "https://{tenant}.invalid",
}
"""In place of what is wrong, so that nothing else seems wrong for that reason."""
_PATHS = ("ca_file", "client_cert", "client_key", "jwks_file", "proxy", "snapshot_dir")
_FIELDS = names_in(Table.ISSUER) - {"profile"}


def trusted_issuers(tables: object) -> tuple[Trusted, ...]:
    """The issuers that the array of tables `[[issuers]]` describes, each by its fields, a template or a profile."""
    return tuple(trusted for _, trusted in numbered_issuers(tables))


def numbered_issuers(tables: object) -> tuple[tuple[int, Trusted], ...]:
    """The same, each with the number of its table: a profile may come to several."""
    issuers: list[tuple[int, Trusted]] = []
    mistakes = Mistakes()
    for index, table in enumerate(array_of_tables("issuers", tables)):
        with mistakes.collected(), error_context(f"issuers[{index}]"):
            issuers += ((index, trusted) for trusted in _trusted(table))
    mistakes.raise_any()
    if not issuers:
        raise ConfigurationError("issuers", "must name at least one issuer, each in a table [[issuers]]")
    return tuple(issuers)


def _trusted(table: Mapping[str, Any]) -> tuple[Trusted, ...]:
    if "profile" in table:
        return _by_profile(table)
    if "template" in table:
        return (_tenant_issuers(table),)
    mistakes = Mistakes()
    values = _values(fitting(table, Table.ISSUER, mistakes=mistakes), table, mistakes)
    if "issuer" not in table:
        mistakes.add(ConfigurationError("issuer", "must be the exact `iss` of the tokens, a non-empty string"))
    values.setdefault("issuer", STAND_INS["issuer"])
    made: tuple[Trusted, ...] = ()
    with mistakes.collected():
        made = (made_of(TrustedIssuer, values, STAND_INS),)
    mistakes.raise_any()
    return made


def _by_profile(table: Mapping[str, Any]) -> tuple[Trusted, ...]:
    """The arguments of a profile are its own; what all issuers have is read as for all."""
    profile = string_value("profile", table["profile"])
    known = {name: value for name, value in table.items() if name in _FIELDS}
    mistakes = Mistakes()
    read = _values(fitting(known, Table.ISSUER, mistakes=mistakes), known, mistakes)
    arguments = {name: value for name, value in table.items() if name not in known and name != "profile"} | read
    made: tuple[Trusted, ...] = ()
    with mistakes.collected():
        made = made_of(partial(_by_arguments, profile), arguments, {})
    mistakes.raise_any()
    return made


def _by_arguments(profile: str, /, **arguments: Any) -> tuple[Trusted, ...]:
    return trusted_by_profile(profile, arguments)


def _tenant_issuers(table: Mapping[str, Any]) -> TenantIssuers:
    mistakes = Mistakes()
    for name in ("issuer", "profile"):
        if name in table:
            mistakes.add(ConfigurationError(name, "is not a setting here: the template says it"))
    values = _values(fitting(table, Table.ISSUER, Table.TENANTS, mistakes=mistakes), table, mistakes)
    values.pop("issuer", None)
    with mistakes.collected():
        values["template"] = string_value("template", table["template"])
        made = made_of(TenantIssuers, values, STAND_INS)
    mistakes.raise_any()
    return made


def _values(fitted: Mapping[str, Any], table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """The arguments that these settings come to. What is wrong in `table` is left out, or a stand-in takes its place."""
    values: dict[str, Any] = {}
    for name, value in fitted.items():
        with mistakes.collected():
            values[name] = _READERS.get(name, _as_it_is)(name, value)
    values |= {name: value for name, value in STAND_INS.items() if name in table.keys() - values.keys()}
    if "keys" in values:  # the short name of a table that people write by hand
        values["jwks_options"] = values.pop("keys")
    return values


def _as_it_is(_name: str, value: Any) -> Any:
    # `TrustedIssuer` and `TenantIssuers` check it themselves.
    return value


def _options(name: str, value: object) -> JWKSOptions:
    table = table_value(name, value)
    with error_context(name):
        mistakes = Mistakes()
        values = fitting(table, Table.KEYS, mistakes=mistakes)
        for path in _PATHS:
            if path in values and not hasattr(values[path], "__fspath__"):
                with mistakes.collected():
                    string_value(path, values[path])
        options = JWKSOptions()
        with mistakes.collected():
            options = made_of(JWKSOptions, values, {})
        mistakes.raise_any()
        return options


def _symmetric_keys(name: str, value: object) -> tuple[SymmetricKey, ...]:
    keys: list[SymmetricKey] = []
    mistakes = Mistakes()
    for index, table in enumerate(array_of_tables(name, value)):
        with mistakes.collected(), error_context(f"{name}[{index}]"):
            keys.append(_symmetric_key(table))
    mistakes.raise_any()
    return tuple(keys)


def _symmetric_key(table: Mapping[str, Any]) -> SymmetricKey:
    mistakes = Mistakes()
    fitted = fitting(table, Table.SYMMETRIC_KEYS, mistakes=mistakes)
    mistakes.raise_any()
    strings = {name: string_value(name, value) for name, value in fitted.items()}
    if ("secret" in strings) == ("secret_base64url" in strings):
        raise ConfigurationError("secret", "must be given once: as secret (its text) or as secret_base64url")
    secret = secret_value("secret", strings.pop("secret", "")) or _octets(strings.pop("secret_base64url", ""))
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
    table, mistakes = table_value(name, value), Mistakes()
    with error_context(name):
        values = fitting(table, Table.PLACE, mistakes=mistakes)
        for part in values.keys() & {"header", "scheme", "cookie"}:
            with mistakes.collected():
                string_value(part, values[part])
        mistakes.raise_any()
    return CredentialPlace(**values)


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "keys": _options,
    "jwks": table_value,
    "symmetric_keys": _symmetric_keys,
    "token_types": _token_types,
    "place": _place,
}
