"""Policies from elsewhere: a section of a TOML file, and marks on servicers.

Rules of this file: every source gives the plain mapping that `Policy` takes, so sources can be merged; an unknown word
is an error, for it may be a restriction that was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bearward.errors import ConfigurationError
from bearward.requirements import AUTHENTICATED, Requirement, any_scope, claim, recent_authentication, scope
from bearward_grpc.rules.policy import MARK, Rule, optional, public

__all__ = ["policy_from_servicers", "policy_from_toml", "rule_from_parts"]

_WORDS: dict[str, Rule] = {"public": public, "optional": optional, "authenticated": AUTHENTICATED}
_PARTS = ("scopes", "any_scopes", "claims", "acr_values", "max_age")


def policy_from_toml(section: Mapping[str, Any]) -> dict[str, Rule]:
    """Rules from a parsed TOML table, keyed like the mapping of `Policy`.

    A rule is `"public"`, `"optional"`, `"authenticated"`, or a table of what is required, all of it: `scopes` (all), `any_scopes`
    (one of them), `claims` (name to value or values), `acr_values` and `max_age` in seconds (RFC 9470).

    >>> import tomllib
    >>> policy_from_toml(tomllib.loads('''
    ... "/notes.v1.Notes/List" = {scopes = ["notes:read"]}
    ... "/notes.v1.Notes/*" = {scopes = ["notes:write"], claims = {role = ["editor", "admin"]}}
    ... "notes.v1.Info" = "public"
    ... '''))["/notes.v1.Notes/*"]
    scope('notes:write') & claim('role', 'editor', 'admin')

    Raises `ConfigurationError` that names the rule.
    """
    if not isinstance(section, Mapping):
        raise ConfigurationError("policy", "must be a table of rules")
    return {name: _rule(name, value) for name, value in section.items()}


def policy_from_servicers(servicers: Mapping[str, object]) -> dict[str, Rule]:
    """Rules from the marks (`@requires(…)`, `@public`, `@optional`) on servicers, by full service name.

    >>> from bearward_grpc import requires
    >>> class Notes:
    ...     @requires(scope("notes:read"))
    ...     async def List(self, request, context): ...
    ...     async def Add(self, request, context): ...
    >>> policy_from_servicers({"notes.v1.Notes": Notes()})
    {'/notes.v1.Notes/List': scope('notes:read')}

    A method without a mark has no rule, and is refused to everybody.
    """
    return {
        f"/{service}/{name}": getattr(getattr(servicer, name), MARK)
        for service, servicer in servicers.items()
        for name in dir(servicer)
        if not name.startswith("_") and hasattr(getattr(servicer, name), MARK)
    }


def _rule(name: str, value: Any) -> Rule:
    setting = f"policy[{name!r}]"
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if not isinstance(value, Mapping):
        raise ConfigurationError(setting, "must be 'public', 'optional', 'authenticated' or a table of requirements")
    unknown = sorted(set(value) - set(_PARTS))
    if unknown:
        raise ConfigurationError(setting, f"has no {', '.join(map(repr, unknown))}; it may have {', '.join(_PARTS)}")
    return rule_from_parts(setting, value)


def rule_from_parts(setting: str, parts: Mapping[str, Any]) -> Requirement:
    """The requirement that asks for all of `parts`; raises `ConfigurationError` naming `setting` if it asks nothing."""
    required: list[Requirement] = []
    for part, build in (("scopes", scope), ("any_scopes", any_scope)):
        if part in parts:
            required.append(_named(setting, part, build, _strings(setting, part, parts[part])))
    claims = parts.get("claims", {})
    if not isinstance(claims, Mapping):
        raise ConfigurationError(f"{setting}.claims", "must map names of claims to values")
    required += [
        _named(setting, "claims", claim, (name, *(values if isinstance(values, list | tuple) else (values,))))
        for name, values in claims.items()
    ]
    recent = {part: parts[part] for part in ("max_age", "acr_values") if part in parts}
    if "acr_values" in recent:
        recent["acr_values"] = _strings(setting, "acr_values", recent["acr_values"])
    if recent:
        required.append(recent_authentication(**recent))
    if not required:
        raise ConfigurationError(setting, "requires nothing: write 'authenticated' if any verified caller may")
    whole = required[0]
    for requirement in required[1:]:
        whole = whole & requirement
    return whole


def _named(setting: str, part: str, build: Callable[..., Requirement], values: Sequence[Any]) -> Requirement:
    try:
        return build(*values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}.{part}", error.requirement) from error


def _strings(setting: str, part: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(not isinstance(item, str) for item in value):
        raise ConfigurationError(f"{setting}.{part}", "must be a list of strings")
    return tuple(value)
