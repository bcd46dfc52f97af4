"""Requirements: what a verified caller must bring to be let in (authorization, after authentication).

Rules of this file: pure, frozen, hashable; an empty requirement raises `ConfigurationError`; `&` asks for all, `|` for
one of several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearward.claim_paths import by_dots, claim_at, json_equal
from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.principal import Principal

__all__ = [
    "Requirement",
    "any_scope",
    "authorize",
    "claim",
    "recent_authentication",
    "scope",
    "sender_constrained",
]


class Requirement(ABC):
    """Something that a principal must have. Combine with `&` and `|`.

    >>> admin_or_writer = scope("notes:write") & (claim("role", "admin") | scope("notes:any"))
    >>> admin_or_writer.scopes
    ('notes:write', 'notes:any')
    """

    __slots__ = ()

    @abstractmethod
    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        """The refusal for this principal at `now` (seconds since the epoch), or None if it has what it takes."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes worth naming in a challenge (RFC 6750 section 3, `scope`)."""
        return ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of a request's path that it depends on; most depend on none."""
        return ()

    def bound_to(self, values: Mapping[str, Any]) -> Requirement:
        """The requirement for a request whose path has these parameters; itself where it depends on none."""
        return self

    def __and__(self, other: Requirement) -> Requirement:
        return _All((*_parts(self, _All), *_parts(other, _All)))

    def __or__(self, other: Requirement) -> Requirement:
        return _Any((*_parts(self, _Any), *_parts(other, _Any)))

    def __bool__(self) -> bool:
        # `scope("a") and scope("b")` would silently mean the second one alone.
        raise TypeError(
            "a requirement is neither true nor false: combine requirements with & and |, not `and` and `or`"
        )


def authorize(principal: Principal, requirement: Requirement, now: float) -> None:
    """Raise `AuthError` unless `principal` meets `requirement` at `now`, in seconds since the epoch."""
    refusal = requirement.unmet(principal, now)
    if refusal is not None:
        raise refusal


def scope(*scopes: str) -> Requirement:
    """All of these scopes.

    >>> scope("notes:read")
    scope('notes:read')
    """
    return _AllScopes(_scope_names(scopes))


def any_scope(*scopes: str) -> Requirement:
    """At least one of these scopes."""
    return _AnyScope(_scope_names(scopes))


def claim(name: str | tuple[str, ...], *values: str | float | bool) -> Requirement:
    """The claim `name` is, or (where it is an array) contains, one of `values`; a name with dots looks into objects.

    A name may have dots of its own (`https://example.com/roles`, `kubernetes.io`): of all ways to read the dots the first
    that leads to a claim counts, longer names before shorter ones. A tuple of names is read in one way only.

    >>> claim("realm_access.roles", "admin")
    claim('realm_access.roles', 'admin')
    >>> claim(("kubernetes.io", "namespace"), "shop")
    claim(('kubernetes.io', 'namespace'), 'shop')
    """
    names = name if isinstance(name, tuple) else (name,)
    if not names or any(not isinstance(part, str) or not part for part in names):
        raise ConfigurationError("claim", "must name a claim, or be a tuple of names that leads to one")
    if not values:
        raise ConfigurationError(f"claim({name!r})", "must name at least one accepted value")
    if any(not isinstance(value, str | int | float) for value in values):
        raise ConfigurationError(f"claim({name!r})", "its values must be strings, numbers or booleans")
    return _Claim(name, tuple(values))


def recent_authentication(*, max_age: int | None = None, acr_values: tuple[str, ...] = ()) -> Requirement:
    """The user logged in at most `max_age` seconds ago, in one of these ways (RFC 9470: step-up).

    Read from `auth_time` and `acr`. Raises `ConfigurationError` when neither is asked for.
    """
    if max_age is None and not acr_values:
        raise ConfigurationError("recent_authentication", "must ask for max_age, acr_values or both")
    if max_age is not None and (isinstance(max_age, bool) or not isinstance(max_age, int) or not 0 <= max_age < 10**15):
        raise ConfigurationError("recent_authentication.max_age", "must be a whole number of seconds, 0 or more")
    if isinstance(acr_values, str) or any(not isinstance(v, str) or not v for v in acr_values):
        raise ConfigurationError("recent_authentication.acr_values", "must be a tuple of non-empty strings")
    return _RecentAuthentication(max_age, tuple(acr_values))


def sender_constrained() -> Requirement:
    """The token is bound to a key, and the caller has proven that key (RFC 9449, RFC 8705): not a bearer token.

    >>> scope("payments:write") & sender_constrained()
    scope('payments:write') & sender_constrained()
    """
    return _SENDER_CONSTRAINED


@dataclass(frozen=True, slots=True)
class _SenderConstrained(Requirement):
    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        return AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED) if principal.proof.is_bearer else None

    def __repr__(self) -> str:
        return "sender_constrained()"


_SENDER_CONSTRAINED: Requirement = _SenderConstrained()


@dataclass(frozen=True, slots=True, repr=False)
class _AllScopes(Requirement):
    names: tuple[str, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        granted = principal.scopes
        for name in self.names:
            if name not in granted:
                return AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=self.names)
        return None

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.names

    def __repr__(self) -> str:
        return f"scope({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, slots=True, repr=False)
class _AnyScope(Requirement):
    names: tuple[str, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        if principal.scopes.isdisjoint(self.names):
            # RFC 6750's `scope` means "all of these", so only the first alternative is named.
            return AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=self.names[:1])
        return None

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.names[:1]

    def __repr__(self) -> str:
        return f"any_scope({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Claim(Requirement):
    name: str | tuple[str, ...]
    values: tuple[str | float | bool, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        name = self.name
        held = claim_at(principal.claims, name) if isinstance(name, tuple) else by_dots(principal.claims, name)
        offered = held if isinstance(held, tuple) else (held,)
        if any(json_equal(have, want) for have in offered for want in self.values):
            return None
        return AuthError(Refusal.CLAIM_INSUFFICIENT, claim=".".join(name) if isinstance(name, tuple) else name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Claim) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.name, self.values, tuple(isinstance(value, bool) for value in self.values)  # True is not 1 in JSON

    def __repr__(self) -> str:
        return f"claim({', '.join(map(repr, (self.name, *self.values)))})"


@dataclass(frozen=True, slots=True)
class _RecentAuthentication(Requirement):
    max_age: int | None
    acr_values: tuple[str, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        if self._recent(principal, now) and self._strong(principal):
            return None
        return AuthError(Refusal.AUTHENTICATION_INSUFFICIENT, max_age=self.max_age, acr_values=self.acr_values)

    def _recent(self, principal: Principal, now: float) -> bool:
        if self.max_age is None:
            return True
        at = principal.claims.get("auth_time")
        # An `auth_time` in the future says nothing about how long ago the user logged in.
        # Compared, never subtracted from: a number of a thousand digits is no float.
        return isinstance(at, int | float) and not isinstance(at, bool) and now - self.max_age <= at <= now

    def _strong(self, principal: Principal) -> bool:
        return not self.acr_values or principal.claims.get("acr") in self.acr_values


@dataclass(frozen=True, slots=True, repr=False)
class _All(Requirement):
    parts: tuple[Requirement, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        for part in self.parts:
            refusal = part.unmet(principal, now)
            if refusal is not None:
                if refusal.refusal is Refusal.SCOPE_INSUFFICIENT:
                    return AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=self.scopes)
                return refusal
        return None

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.scopes))

    @property
    def parameters(self) -> tuple[str, ...]:
        return _parameters(self.parts)

    def bound_to(self, values: Mapping[str, Any]) -> Requirement:
        return _All(tuple(part.bound_to(values) for part in self.parts))

    def __repr__(self) -> str:
        return " & ".join(f"({part!r})" if isinstance(part, _Any) else repr(part) for part in self.parts)


@dataclass(frozen=True, slots=True, repr=False)
class _Any(Requirement):
    parts: tuple[Requirement, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        first: AuthError | None = None
        for part in self.parts:
            refusal = part.unmet(principal, now)
            if refusal is None:
                return None
            first = first or refusal
        return first

    @property
    def scopes(self) -> tuple[str, ...]:
        return next((part.scopes for part in self.parts if part.scopes), ())

    @property
    def parameters(self) -> tuple[str, ...]:
        return _parameters(self.parts)

    def bound_to(self, values: Mapping[str, Any]) -> Requirement:
        return _Any(tuple(part.bound_to(values) for part in self.parts))

    def __repr__(self) -> str:
        return " | ".join(repr(part) for part in self.parts)


def _parts(requirement: Requirement, kind: type[_All | _Any]) -> tuple[Requirement, ...]:
    if not isinstance(requirement, Requirement):
        raise ConfigurationError("requirement", "only requirements can be combined with & and |")
    return requirement.parts if isinstance(requirement, kind) else (requirement,)


def _parameters(parts: tuple[Requirement, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part.parameters))


def _scope_names(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )."""
    if not scopes:
        raise ConfigurationError("scope", "must name at least one scope")
    for name in scopes:
        if not isinstance(name, str) or not name or any(not "!" <= c <= "~" or c in '"\\' for c in name):
            raise ConfigurationError("scope", "must be visible ASCII without spaces, quotes and backslashes")
    return tuple(dict.fromkeys(scopes))
