"""The policy: which method requires what of its caller.

Rules of this file: exact full method names come first, then whole services, then the default, which is to deny. A name
is compared as the peer sent it; nothing is decoded, trimmed or folded, so that no odd path can reach a rule that was
not written for it. A policy without rules, or with a rule that matches nothing, raises `ConfigurationError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from bearward.access import Access, as_access, deny, public
from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes
from bearward.requirements import Requirement

__all__ = ["HEALTH", "REFLECTION", "Policy", "Rule"]

Rule: TypeAlias = Access | Requirement
"""A rule of `bearward.access`; a bare requirement means `requires(requirement)`."""

HEALTH: Final[tuple[str, ...]] = tuple(f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))
# Tools try v1 first and fall back to v1alpha only on UNIMPLEMENTED, so both belong together.
REFLECTION: Final[tuple[str, ...]] = tuple(
    f"/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo" for v in ("v1", "v1alpha")
)
CHANNELZ = "grpc.channelz."
_MAX_REMEMBERED = 1024  # callers may make names up

_METHOD = re.compile(r"/[^/*\s]+/[^/*\s]+")  # "/" service "/" method, as in the HTTP/2 :path of gRPC
_SERVICE = re.compile(r"/?([^/*\s]+)(/\*)?")  # "pkg.Service" or "/pkg.Service/*"


class Policy:
    """Immutable access rules by method and service, and the `default` for methods that none of them names.

    >>> from bearward import scope
    >>> from bearward.access import authenticated
    >>> policy = Policy({"/notes.v1.Notes/List": scope("notes:read"), "notes.v1.Info": public})
    >>> policy.find("/notes.v1.Notes/List"), policy.find("/notes.v1.Info/Anything"), policy.find("/notes.v1.Notes/Add")
    (requires(scope('notes:read')), public, deny)
    >>> Policy({"notes.v1.Info": public}, default=authenticated).find("/notes.v1.Notes/Add")
    authenticated

    `default` is `deny`, or what every other method asks for (`authenticated`, `requires(...)`). Health is public
    unless `health` says otherwise; reflection stays denied, under any default, unless `reflection` gives a rule (True
    makes it public).

    Raises `ConfigurationError` for an empty mapping under the default `deny`, a name that cannot be one, a service
    named twice, an invalid rule, a default that would admit anonymous callers, and a public channelz (it shows
    peers and metadata).
    """

    __slots__ = ("_default", "_found", "_methods", "_rules", "_services")

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        default: Rule = deny,
        health: Rule | None = public,
        reflection: Rule | bool = False,
    ) -> None:
        self._default = _checked_default(default)
        if not isinstance(rules, Mapping) or (not rules and self._default == deny):
            raise ConfigurationError("policy", "must map at least one method or service to a rule")
        self._methods: dict[str, Access] = {}
        self._services: dict[str, Access] = {}
        self._rules: dict[str, Access] = {}
        mistakes = Mistakes()
        for name, rule in rules.items():
            with mistakes.collected():
                self._add(name, rule)
        mistakes.raise_any()
        if health is not None:
            self._add_own(HEALTH, _as_rule("health", health))
        if reflection is not False:
            self._add_own(REFLECTION, _as_rule("reflection", public if reflection is True else reflection))
        # What was found before, for names come again; a default never opens reflection.
        self._found: dict[str, Access] = {name: deny for name in REFLECTION if self.decided(name) is None}
        self._found.update(self._methods)

    @property
    def rules(self) -> Mapping[str, Access]:
        """What was written, by the names under which it was."""
        return MappingProxyType(self._rules)

    @property
    def default(self) -> Access:
        """The rule of every method that no other names."""
        return self._default

    def find(self, method: str) -> Access:
        """The rule for a full method name (`/package.Service/Method`)."""
        rule = self._found.get(method)
        if rule is None:
            rule = self.decided(method)
            if rule is None:
                return self._default
            if len(self._found) < _MAX_REMEMBERED + len(self._methods):
                self._found[method] = rule
        return rule

    def decided(self, method: str) -> Access | None:
        """The rule that names this method or its service; None if the default applies."""
        rule = self._methods.get(method)
        if rule is None and self._services:
            parts = method.split("/")
            if len(parts) == 3 and not parts[0] and parts[2]:
                rule = self._services.get(parts[1])
        return rule

    def matches_any(self, name: str, methods: frozenset[str]) -> bool:
        """Whether the written rule `name` applies to at least one of these full method names."""
        if name in self._methods:
            return name in methods
        prefix = f"/{_service_of(name)}/"
        return any(method.startswith(prefix) for method in methods)

    def names_service(self, name: str) -> bool:
        """Whether the written rule `name` speaks of a whole service and not of one method."""
        return name not in self._methods

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._given() == other._given()

    def __hash__(self) -> int:
        return hash((self._default, frozenset(self._rules.items())))

    def _given(self) -> tuple[object, ...]:
        return self._default, self._rules, self._methods, self._services

    def __repr__(self) -> str:
        counted = f"{len(self._methods)} methods, {len(self._services)} whole services"
        return f"<Policy: {counted}, default {self._default!r}>"

    def _add(self, name: str, rule: Rule) -> None:
        if not isinstance(name, str):
            raise ConfigurationError("policy", "must be keyed by names of methods and services")
        access = _as_rule(f"policy[{name!r}]", rule)
        if access.admits_anonymous and name.lstrip("/").startswith(CHANNELZ):
            raise ConfigurationError(
                f"policy[{name!r}]", "must not be public or optional: channelz shows peers and metadata"
            )
        self._rules[name] = access
        if _METHOD.fullmatch(name):
            self._methods[name] = access
            return
        service = _service_of(name)
        if service in self._services:
            raise ConfigurationError(f"policy[{name!r}]", "must not name a service a second time")
        self._services[service] = access

    def _add_own(self, methods: tuple[str, ...], rule: Access) -> None:
        for method in methods:
            if self.decided(method) is None:  # what the user wrote goes first
                self._methods[method] = rule


def _service_of(name: str) -> str:
    match = _SERVICE.fullmatch(name)
    if match is None or (name.startswith("/") and not match[2]):
        must = "must be '/package.Service/Method', '/package.Service/*' or 'package.Service'"
        raise ConfigurationError(f"policy[{name!r}]", must)
    return match[1]


def _as_rule(setting: str, rule: object) -> Access:
    """`rule` as an `Access`. A word is refused: in TOML it is a rule, in Python more likely a mistake."""
    access = as_access(None if isinstance(rule, str) else rule, setting)
    if access.requirement is not None and access.requirement.parameters:
        depends = ", ".join(access.requirement.parameters)
        raise ConfigurationError(setting, f"must not depend on path parameters, which gRPC does not have: {depends}")
    return access


def _checked_default(default: object) -> Access:
    rule = _as_rule("default", default)
    if rule.admits_anonymous:
        must = "must be deny, authenticated or requires(...), since it would open every method without a rule"
        raise ConfigurationError("default", must)
    return rule
