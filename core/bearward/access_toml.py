"""Access rules from a parsed TOML table, for every adapter.

Rule of this file: pure; an unknown word or member is an error, since it may have been meant as a restriction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bearward.access import Access, as_access, requires
from bearward.caller_requirements import issuer_is, right
from bearward.delegation_requirements import actor_is, authorization_detail, not_delegated
from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes, nearest
from bearward.requirements import Requirement
from bearward.token_requirements import any_scope, claim, recent_authentication, scope, sender_constrained

__all__ = ["requirement_from_parts", "rule_from_toml", "rules_from_toml"]

_PARTS = (
    "scopes",
    "any_scopes",
    "rights",
    "issuers",
    "actors",
    "claims",
    "authorization_details",
    "acr_values",
    "max_age",
    "not_delegated",
    "sender_constrained",
)
_FLAGS = (("not_delegated", not_delegated), ("sender_constrained", sender_constrained))


_OF_STRINGS = (
    ("scopes", scope),
    ("any_scopes", any_scope),
    ("rights", right),
    ("issuers", issuer_is),
    ("actors", actor_is),
)


def rules_from_toml(section: Mapping[str, Any], setting: str = "rules") -> dict[str, Access]:
    """Rules by name (a gRPC method or service, a Sanic route), from a parsed table.

    A rule is `"public"`, `"optional"`, `"authenticated"`, `"deny"`, or a table of what is required, all of it: `scopes`
    (all), `any_scopes` (one of them), `rights` (all), `issuers` (one of them), `actors` (one of them), `claims` (name to
    value or values), `authorization_details` (tables, each with a `type`, RFC 9396), `acr_values` and `max_age` in
    seconds (RFC 9470), `not_delegated` and `sender_constrained` (true). Raises `ConfigurationError` that names the rule.

    >>> import tomllib
    >>> rules_from_toml(tomllib.loads('''
    ... "/notes.v1.Notes/List" = {scopes = ["notes:read"]}
    ... "/notes.v1.Notes/*" = {scopes = ["notes:write"], claims = {role = ["editor", "admin"]}}
    ... "notes.v1.Info" = "public"
    ... '''))["/notes.v1.Notes/*"]
    requires(scope('notes:write') & claim('role', 'editor', 'admin'))
    """
    if not isinstance(section, Mapping):
        raise ConfigurationError(setting, "must be a table of rules")
    mistakes, rules = Mistakes(), dict[str, Access]()
    for name, value in section.items():
        with mistakes.collected():
            rules[name] = rule_from_toml(f"{setting}[{name!r}]", value)
    mistakes.raise_any()
    return rules


def rule_from_toml(setting: str, value: object) -> Access:
    """The rule that one value of the table means; raises `ConfigurationError` that names `setting`."""
    if isinstance(value, str):
        return as_access(value, setting)
    if not isinstance(value, Mapping):
        must = "must be 'public', 'optional', 'authenticated', 'deny' or a table of requirements"
        raise ConfigurationError(setting, must)
    unknown = sorted(set(value) - set(_PARTS))
    if unknown:
        near = nearest(unknown[0], _PARTS) or f"; it may have {', '.join(_PARTS)}"
        raise ConfigurationError(setting, f"has no {', '.join(map(repr, unknown))}{near}")
    return requires(requirement_from_parts(setting, value))


def requirement_from_parts(setting: str, parts: Mapping[str, Any]) -> Requirement:
    """The requirement that asks for all of `parts`; raises `ConfigurationError` naming `setting` if it asks nothing."""
    required: list[Requirement] = [
        _named(setting, part, build, _strings(setting, part, parts[part]))
        for part, build in _OF_STRINGS
        if part in parts
    ]
    required += _claims(setting, parts.get("claims", {}))
    required += _details(f"{setting}.authorization_details", parts.get("authorization_details", ()))
    recent = {part: parts[part] for part in ("max_age", "acr_values") if part in parts}
    if "acr_values" in recent:
        recent["acr_values"] = _strings(setting, "acr_values", recent["acr_values"])
    if recent:
        required.append(recent_authentication(**recent))
    required += [_flag(f"{setting}.{part}", parts[part], build) for part, build in _FLAGS if part in parts]
    if not required:
        raise ConfigurationError(setting, "requires nothing: write 'authenticated' if any verified caller may")
    whole = required[0]
    for requirement in required[1:]:
        whole = whole & requirement
    return whole


def _claims(setting: str, claims: object) -> list[Requirement]:
    if not isinstance(claims, Mapping):
        raise ConfigurationError(f"{setting}.claims", "must map names of claims to values")
    return [
        _named(setting, "claims", claim, (name, *(values if isinstance(values, list | tuple) else (values,))))
        for name, values in claims.items()
    ]


def _details(setting: str, details: object) -> list[Requirement]:
    if not isinstance(details, list | tuple) or any(
        not isinstance(one, Mapping) or "type" not in one for one in details
    ):
        raise ConfigurationError(setting, "must be tables, each with a type and the members that are required")
    made: list[Requirement] = []
    for one in details:
        members = {name: tuple(value) if isinstance(value, list) else value for name, value in one.items()}
        try:
            made.append(authorization_detail(str(members.pop("type")), **members))
        except ConfigurationError as error:
            raise ConfigurationError(setting, error.requirement) from error
    return made


def _flag(setting: str, value: object, build: Callable[[], Requirement]) -> Requirement:
    if value is not True:
        raise ConfigurationError(setting, "must be true, or left out")
    return build()


def _named(setting: str, part: str, build: Callable[..., Requirement], values: Sequence[Any]) -> Requirement:
    try:
        return build(*values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}.{part}", error.requirement) from error


def _strings(setting: str, part: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(not isinstance(item, str) for item in value):
        raise ConfigurationError(f"{setting}.{part}", "must be a list of strings")
    return tuple(value)
