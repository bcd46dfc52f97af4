"""What a rule can require of a token: scopes, claims, a recent log-in, a proof of possession.

Rules of this file: pure, frozen, hashable; an empty requirement raises `ConfigurationError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bearward.claim_paths import by_dots, claim_at, json_equal
from bearward.errors import AuthError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.requirements import Requirement

__all__ = ["any_scope", "claim", "recent_authentication", "scope", "sender_constrained"]


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


def _scope_names(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )."""
    if not scopes:
        raise ConfigurationError("scope", "must name at least one scope")
    for name in scopes:
        if not isinstance(name, str) or not name or any(not "!" <= c <= "~" or c in '"\\' for c in name):
            raise ConfigurationError("scope", "must be visible ASCII without spaces, quotes and backslashes")
    return tuple(dict.fromkeys(scopes))
