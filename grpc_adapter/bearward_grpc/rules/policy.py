"""The policy: which method asks what of its caller.

Rules of this file: exact full method names, then whole services, then no: a method without a rule is refused. A name
is compared as the peer sent it; nothing is decoded, trimmed or folded, so that no odd path can reach a rule that was
not written for it. A policy that says nothing, or says it in a way that matches nothing, refuses to be built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar, final

from bearward.errors import ConfigurationError
from bearward.requirements import AUTHENTICATED, Requirement

__all__ = [
    "HEALTH",
    "MARK",
    "REFLECTION",
    "Open",
    "Policy",
    "Rule",
    "authenticated",
    "optional",
    "public",
    "requires",
]


F = TypeVar("F", bound=Callable[..., object])
MARK: Final = "__bearward_rule__"
"""Where a marked method of a servicer keeps its rule."""


@final
class Open:
    """The rule of a method that may be called without a token: `public` or `optional`; also marks servicer methods."""

    __slots__ = ("_word",)

    def __init__(self, word: str) -> None:
        self._word = word

    def __call__(self, method: F) -> F:
        """Mark a method of a servicer, for `policy_from_servicers`."""
        return mark(method, self)

    def __repr__(self) -> str:
        return self._word


public: Final[Open] = Open("public")
"""Anyone may call this method, with or without a token. The token, if any, is not looked at."""

optional: Final[Open] = Open("optional")
"""Anyone may call this method without a token, as nobody; one who brings a token must bring a good one."""

authenticated: Final[Requirement] = AUTHENTICATED
"""Any verified token will do."""

Rule: TypeAlias = Requirement | Open


def requires(requirement: Requirement) -> Callable[[F], F]:
    """Mark a method of a servicer, for `policy_from_servicers`: its caller must meet `requirement`.

    Raises `ConfigurationError` for anything but a requirement.
    """
    if not isinstance(requirement, Requirement):
        raise ConfigurationError("requires", "must be given a requirement, such as scope('notes:read')")
    return lambda method: mark(method, requirement)


def mark(method: F, rule: Rule) -> F:
    """Have `method` carry `rule`; raises `ConfigurationError` for a second, other one."""
    held = getattr(method, MARK, None)
    if not callable(method) or isinstance(method, Requirement | Open):
        raise ConfigurationError(repr(rule), "must stand above a method of a servicer")
    if held is not None and held != rule:
        raise ConfigurationError(getattr(method, "__qualname__", "a method"), "must have one mark, not two")
    setattr(method, MARK, rule)
    return method


HEALTH: Final[tuple[str, ...]] = tuple(f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))
# Tools ask for v1 first and fall back to v1alpha only when they are told UNIMPLEMENTED, so both go together.
REFLECTION: Final[tuple[str, ...]] = tuple(
    f"/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo" for v in ("v1", "v1alpha")
)
CHANNELZ = "grpc.channelz."
_MAX_MATCHED = 1024  # callers may make names up

_METHOD = re.compile(r"/[^/*\s]+/[^/*\s]+")  # "/" service "/" method, as in the HTTP/2 :path of gRPC
_SERVICE = re.compile(r"/?([^/*\s]+)(/\*)?")  # "pkg.Service" or "/pkg.Service/*"


class Policy:
    """An immutable rule book.

    >>> from bearward import scope
    >>> book = Policy({"/notes.v1.Notes/List": scope("notes:read"), "notes.v1.Info": public})
    >>> book.find("/notes.v1.Notes/List"), book.find("/notes.v1.Info/Anything"), book.find("/notes.v1.Notes/Add")
    (scope('notes:read'), public, None)

    Raises `ConfigurationError` for an empty mapping, a name that cannot be one, a service named twice, a rule that is
    none, and a public channelz (it shows peers and metadata).
    """

    __slots__ = ("_matched", "_methods", "_services", "written")

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        health: Rule | None = public,
        reflection: Rule | bool = False,
    ) -> None:
        if not isinstance(rules, Mapping) or not rules:
            raise ConfigurationError("policy", "must map at least one method or service to a rule")
        self._methods: dict[str, Rule] = {}
        self._services: dict[str, Rule] = {}
        self._matched: dict[str, Rule] = {}  # names that a service's rule was found for, for they come again
        for name, rule in rules.items():
            self._add(name, rule)
        self.written: Mapping[str, Rule] = MappingProxyType(dict(rules))
        self._add_own(HEALTH, health, "health")
        if reflection is not False:
            self._add_own(REFLECTION, public if reflection is True else reflection, "reflection")

    def find(self, method: str) -> Rule | None:
        """The rule for a full method name (`/package.Service/Method`), or None where there is none."""
        rule = self._methods.get(method)
        if rule is None and self._services and (rule := self._matched.get(method)) is None:
            parts = method.split("/")
            if len(parts) == 3 and not parts[0] and parts[2]:
                rule = self._services.get(parts[1])
                if rule is not None and len(self._matched) < _MAX_MATCHED:
                    self._matched[method] = rule
        return rule

    def covers(self, name: str, methods: frozenset[str]) -> bool:
        """Whether the written rule `name` has at least one of these full method names."""
        if name in self._methods:
            return name in methods
        prefix = f"/{_service_of(name)}/"
        return any(method.startswith(prefix) for method in methods)

    def is_method(self, name: str) -> bool:
        """Whether the written rule `name` speaks of one method and not of a whole service."""
        return name in self._methods

    def __repr__(self) -> str:
        return f"<Policy: {len(self._methods)} methods, {len(self._services)} whole services>"

    def _add(self, name: str, rule: Rule) -> None:
        if not isinstance(name, str):
            raise ConfigurationError("policy", "must be keyed by names of methods and services")
        _check_rule(name, rule)
        if _METHOD.fullmatch(name):
            self._methods[name] = rule
            return
        service = _service_of(name)
        if service in self._services:
            raise ConfigurationError(f"policy[{name!r}]", "must not name a service a second time")
        self._services[service] = rule

    def _add_own(self, methods: tuple[str, ...], rule: Rule | None, setting: str) -> None:
        if rule is None:
            return
        _check_rule(setting, rule)
        for method in methods:
            if self.find(method) is None:  # what the user wrote goes first
                self._methods[method] = rule


def _service_of(name: str) -> str:
    match = _SERVICE.fullmatch(name)
    if match is None or (name.startswith("/") and not match[2]):
        must = "must be '/package.Service/Method', '/package.Service/*' or 'package.Service'"
        raise ConfigurationError(f"policy[{name!r}]", must)
    return match[1]


def _check_rule(name: str, rule: object) -> None:
    if not isinstance(rule, Requirement | Open):
        raise ConfigurationError(f"policy[{name!r}]", "must be public, optional, authenticated or another requirement")
    if isinstance(rule, Open) and name.lstrip("/").startswith(CHANNELZ):
        raise ConfigurationError(f"policy[{name!r}]", "must not be open: channelz shows peers and metadata")
