"""From variables `BEARWARD_…` to the settings of one issuer: every variable by its own reader, nothing guessed.

Rules of this file: pure. A variable that is named like a setting is obeyed or refused, never ignored: an operator who
writes `BEARWARD_EXPECTED_CLAIMS` believes that it restricts something. The environment is shared (an orchestrator puts
`BEARWARD_PORT` there for a service of that name), so a name that resembles no setting is taken for somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from bearward.errors import ConfigurationError
from bearward.jwks.options import JWKSOptions
from bearward.mistakes import Mistakes, hint, made_of, renamed
from bearward.profiles.by_name import Trusted, flags_of, trusted_by_profile
from bearward.settings_toml import STAND_INS, reject_placeholder, reject_placeholders, trusted_issuers
from bearward.settings_values import (
    boolean,
    comma_separated,
    json_object,
    names_or_json,
    number,
    one_of,
    place,
    whole_number,
)
from bearward.trusted_issuer import TrustedIssuer

__all__ = [
    "CONFIG",
    "PREFIX",
    "SECRET_FILES",
    "VARIABLES",
    "Group",
    "issuers_of_variables",
    "own_variables",
    "read_variables",
]

PREFIX: Final = "BEARWARD_"
CONFIG: Final = "BEARWARD_CONFIG"
_PROFILE: Final = "BEARWARD_PROFILE"
_ISSUERS: Final = "BEARWARD_ISSUERS"
_NEEDED: Final = ("issuer",)
"""What is missing was said already."""


class Group(StrEnum):
    """What a variable configures."""

    SETTINGS = "settings"
    ISSUER = "issuer"
    KEYS = "keys"
    REVOCATIONS = "revocations"
    DPOP = "dpop"


@dataclass(frozen=True, slots=True)
class _Variable:
    """Where a variable goes, what it must be, and how it is read."""

    group: Group
    setting: str
    requirement: str
    read: Callable[[str], Any]


def own_variables(environ: Mapping[str, str], extra_names: Collection[str]) -> dict[str, str]:
    """Our variables that are set to something; an empty variable is as good as none.

    Raises `ConfigurationError` for a misspelt one, for one that only a file can say, and for a placeholder in one.
    """
    known = {CONFIG, *VARIABLES, *(PREFIX + name.upper() for name in extra_names)}
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
    mistakes = Mistakes()
    for name in sorted(own.keys() - known):
        with mistakes.collected():
            _check_unknown(name, known, with_profile=_PROFILE in own)
    arguments = own.keys() if _PROFILE in own else ()
    found = {name: value for name, value in own.items() if name in known or name in _arguments_of(arguments)}
    for name, value in found.items():
        with mistakes.collected():
            reject_placeholder(name, value)
    mistakes.raise_any()
    return found


def _check_unknown(name: str, known: Collection[str], *, with_profile: bool) -> None:
    """Raise `ConfigurationError` for a variable of ours that looks like a setting, and sets nothing."""
    if name == _ONLY_PYTHON:
        raise ConfigurationError(name, "is a type: give it to TrustedIssuer in Python")
    if name in _FILE_ONLY:
        there = f"in a file ({CONFIG}): {_FILE_ONLY[name]}; or in {_ISSUERS}"
        raise ConfigurationError(name, f"cannot be set by a variable; {there}")
    if name.startswith(f"{_PROFILE}_"):
        if not with_profile:
            raise ConfigurationError(name, f"must not be set without {_PROFILE}, the name of a profile")
    elif get_close_matches(name, [*known, *_SETTINGS_OF_ISSUERS], cutoff=0.88):
        raise ConfigurationError(name, f"is not a setting here; {hint(name, known)}")


def read_variables(given: Mapping[str, str], mistakes: Mistakes) -> dict[Group, dict[str, Any]]:
    """The values of our variables, by what they configure; what is wrong goes to `mistakes`, under the variable's name."""
    with mistakes.collected():
        _check_sources(given)
    values: dict[Group, dict[str, Any]] = {group: {} for group in Group}
    for name, variable in VARIABLES.items():
        if name in given:
            try:
                values[variable.group][variable.setting] = variable.read(given[name])
            except ValueError:
                mistakes.add(ConfigurationError(name, f"must be {variable.requirement}"))
    if values[Group.REVOCATIONS] and "BEARWARD_REVOCATIONS_ON_FAILURE" not in given:
        mistakes.add(ConfigurationError("BEARWARD_REVOCATIONS_ON_FAILURE", "must be set: refuse or accept"))
    return values


def issuers_of_variables(
    given: Mapping[str, str], values: Mapping[str, Any], keys: Mapping[str, Any]
) -> tuple[Trusted, ...]:
    """The issuers that the variables mean: one by its settings or by a profile, or all those of `BEARWARD_ISSUERS`.

    `values` and `keys` are what was read of the issuer and of how its keys are fetched. Raises `ConfigurationError` naming
    the variable.
    """
    if _ISSUERS in given:
        return _from_json(given[_ISSUERS])
    profile = given.get(_PROFILE)
    settings = {name: value for name, value in values.items() if name != "profile"}
    try:
        if keys:
            settings["jwks_options"] = JWKSOptions(**keys)
        if profile is None:
            return (made_of(TrustedIssuer, {**{name: STAND_INS[name] for name in _NEEDED}, **settings}, STAND_INS),)
        arguments = {**settings, **_arguments(profile, given)}
        return made_of(lambda **those: trusted_by_profile(profile, those), arguments, {})
    except ConfigurationError as error:
        raise renamed(error, lambda setting: _variable_of(setting, profile, given)) from None


def _variable_of(setting: str, profile: str | None, given: Mapping[str, str]) -> str:
    """The variable that a setting of an issuer came from, or would come from."""
    if setting == "profile":
        return _PROFILE
    name = PREFIX + setting.upper() if profile is None else f"{_PROFILE}_{setting.upper()}"
    return next((variable for variable in sorted({PREFIX + setting.upper(), name}) if variable in given), name)


def _from_json(value: str) -> tuple[Trusted, ...]:
    try:
        tables = json.loads(value)
    except (ValueError, RecursionError):
        raise ConfigurationError(_ISSUERS, "must be JSON: an array of objects, each as a table [[issuers]]") from None
    try:
        reject_placeholders("issuers", tables)
        return trusted_issuers(tables)
    except ConfigurationError as error:
        raise renamed(error, lambda setting: setting.replace("issuers", _ISSUERS, 1)) from None


def _arguments_of(names: Collection[str]) -> set[str]:
    return {name for name in names if name.startswith(f"{_PROFILE}_")}


def _arguments(profile: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a profile: text, several with commas between them, or `true` and `false` where it asks for that."""
    flags = flags_of(profile)
    arguments: dict[str, Any] = {}
    for variable in sorted(_arguments_of(given)):
        name, value = variable.removeprefix(f"{_PROFILE}_").lower(), given[variable].strip()
        try:
            if name in flags:
                arguments[name] = boolean(value)
            else:
                arguments[name] = comma_separated(value) if "," in value else value
        except ValueError:
            must = "true or false" if name in flags else "names separated by commas"
            raise ConfigurationError(name, f"must be {must}") from None
    return arguments


def _check_sources(given: Mapping[str, str]) -> None:
    """One way to say whom to trust: settings, a profile, or several issuers at once."""
    if _ISSUERS in given:
        one = {PREFIX + name for name in _OF_ONE_ISSUER} | _arguments_of(given)
        for name in sorted(one & given.keys()):
            raise ConfigurationError(name, f"must not be set together with {_ISSUERS}: say it there")
    elif _PROFILE in given:
        if "BEARWARD_ISSUER" in given:
            raise ConfigurationError(_PROFILE, "must not be set together with BEARWARD_ISSUER, which a profile knows")
    else:
        _check_required(given)


def _check_required(given: Mapping[str, str]) -> None:
    if "BEARWARD_KEYS_ARE_OURS" in given:
        given = {**given, "BEARWARD_CLIENT_IDS": "none are needed"}
    mistakes = Mistakes()
    for name, instead in (("BEARWARD_ISSUER", ""), ("BEARWARD_AUDIENCE", "BEARWARD_CLIENT_IDS")):
        if name not in given and instead not in given:
            mistakes.add(ConfigurationError(name, f"must be set: {VARIABLES[name].requirement}"))
    mistakes.raise_any()


_BOOLEAN = ("true or false", boolean)
_SEVERAL = comma_separated

VARIABLES: Final[Mapping[str, _Variable]] = {
    PREFIX + name: _Variable(Group(group), setting, requirement, read)
    for name, group, setting, requirement, read in (
        ("ISSUER", "issuer", "issuer", "the exact `iss` of the tokens", str),
        ("AUDIENCE", "issuer", "audience", "the accepted audience, or several separated by commas", _SEVERAL),
        ("CLIENT_IDS", "issuer", "client_ids", "accepted client ids, separated by commas", _SEVERAL),
        ("JWKS_URI", "issuer", "jwks_uri", "the https URL of the issuer's keys", str),
        ("METADATA_URI", "issuer", "metadata_uri", "the https URL of the issuer's metadata", str),
        ("PEM_URI", "issuer", "pem_uri", "the https URL of keys in PEM, with {kid} if each has its own", str),
        ("ALGORITHMS", "issuer", "algorithms", "names of algorithms, separated by commas", _SEVERAL),
        ("LEEWAY", "issuer", "leeway", "a number of seconds between 0 and 300", number),
        ("FUTURE_LEEWAY", "issuer", "future_leeway", "a number of seconds between 0 and 300", number),
        ("MAX_TOKEN_AGE", "issuer", "max_token_age", "a number of seconds above 0", number),
        ("REQUIRED_CLAIMS", "issuer", "required_claims", "names of claims, separated by commas", _SEVERAL),
        ("EXPECTED_CLAIMS", "issuer", "expected_claims", "a JSON object, from claims to values", json_object),
        ("REFUSED_CLAIMS", "issuer", "refused_claims", "names of claims, separated by commas", _SEVERAL),
        ("AUTHORIZED_PARTIES", "issuer", "authorized_parties", "accepted `azp`, separated by commas", _SEVERAL),
        ("KEYS_ARE_OURS", "issuer", "keys_are_ours", *_BOOLEAN),
        ("SINGLE_USE", "issuer", "single_use", *_BOOLEAN),
        ("SUBJECT_CLAIM", "issuer", "subject_claim", "names of claims, separated by commas", _SEVERAL),
        ("CLIENT_CLAIM", "issuer", "client_claim", "the name of a claim", str),
        ("RIGHTS", "issuer", "rights", "names of claims, separated by commas, or a JSON array", names_or_json),
        ("PLACE", "issuer", "place", 'a JSON object, such as {"header": "x-goog-iap-jwt-assertion"}', place),
        ("ISSUERS", "issuer", "issuers", "a JSON array, of objects as the tables [[issuers]]", str),
        ("PROFILE", "issuer", "profile", "the name of a profile", str),
        ("TOKEN_TYPES", "issuer", "token_types", "accepted `typ` headers, separated by commas", _SEVERAL),
        ("CA_FILE", "keys", "ca_file", "a file of certificates in PEM", str),
        ("CACHE", "settings", "cache", "memory://, redis://…, rediss://… or memcached://…", str),
        ("CACHE_SECRET", "settings", "cache_secret", "a secret that the fleet shares", str.encode),
        ("UNSAFE_ALLOW_UNAUTHENTICATED_CACHE", "settings", "unsafe_allow_unauthenticated_cache", *_BOOLEAN),
        ("EXPLAIN", "settings", "explain", *_BOOLEAN),
        ("UNSAFE_EXPLAIN_REMOTE", "settings", "unsafe_explain_remote", *_BOOLEAN),
        ("TOKEN_CACHE", "settings", "token_cache", "a number of bytes, 0 for no cache", whole_number),
        ("REVOCATIONS_ON_FAILURE", "revocations", "on_failure", "refuse or accept", one_of("refuse", "accept")),
        ("REVOCATIONS_CACHE", "revocations", "cache", "redis://…, rediss://… or memcached://…", str),
        ("REVOCATIONS_CACHE_SECRET", "revocations", "cache_secret", "a secret that the fleet shares", str.encode),
        ("REVOCATIONS_NAME", "revocations", "name", "a name of letters, digits, dots, dashes or underscores", str),
        ("REVOCATIONS_GRACE", "revocations", "grace", "a number of seconds from 0 to 3600", number),
        ("REVOCATIONS_POLL_INTERVAL", "revocations", "poll_interval", "a number of seconds from 0.02 to 1", number),
        ("DPOP", "dpop", "mode", "off, allowed or required", one_of("off", "allowed", "required")),
        ("ORIGINS", "dpop", "origins", "public origins of this server, separated by commas", _SEVERAL),
        ("DPOP_NONCE", "dpop", "nonce", "on or off", lambda value: one_of("on", "off")(value) == "on"),
        ("DPOP_WINDOW", "dpop", "window", "a number of seconds between 1 and 600", number),
        ("UNSAFE_ALLOW_HTTP", "issuer", "unsafe_allow_http", *_BOOLEAN),
        ("UNSAFE_ALLOW_PRIVATE_ADDRESSES", "keys", "unsafe_allow_private_addresses", *_BOOLEAN),
    )
}
"""Every variable that is read, but for `BEARWARD_CONFIG`, a profile's arguments and a program's own."""

SECRET_FILES: Final[Mapping[str, str]] = {
    f"{PREFIX}{name}_FILE": PREFIX + name
    for name in ("CACHE", "CACHE_SECRET", "REVOCATIONS_CACHE", "REVOCATIONS_CACHE_SECRET", "ISSUERS")
}
"""Variables that name a file in place of a value: what may hold a secret."""

_OF_ONE_ISSUER: Final = tuple(
    name.removeprefix(PREFIX)
    for name, variable in VARIABLES.items()
    if variable.group in (Group.ISSUER, Group.KEYS) and name != _ISSUERS
)

_SETTINGS_OF_ISSUERS: Final = tuple(PREFIX + item.name.upper() for item in fields(TrustedIssuer) if item.init)
_ONLY_PYTHON: Final = PREFIX + "CLAIMS_TYPE"
_FILE_ONLY: Final[Mapping[str, str]] = {
    **{PREFIX + item.name.upper(): f"{item.name} in [issuers.keys]" for item in fields(JWKSOptions) if item.init},
    **{PREFIX + "KEYS_" + item.name.upper(): f"{item.name} in [issuers.keys]" for item in fields(JWKSOptions)},
    **{PREFIX + item.name.upper(): f"{item.name} in [[issuers]]" for item in fields(TrustedIssuer) if item.init},
    PREFIX + "KEYS": "[issuers.keys]",
    PREFIX + "ISSUERS": "[[issuers]]",
    PREFIX + "REVOCATIONS": "[revocations]",
    **{
        PREFIX + "DPOP_" + name.upper(): f"{name} in [dpop]"
        for name in ("algorithms", "on_failure", "origins", "prefix")
    },
}
"""Variables that somebody may believe in, and where a file says what they would say."""
