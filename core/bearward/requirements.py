"""What every requirement is, and how requirements are combined (authorization, after authentication).

Rules of this file: pure, frozen, hashable; `&` asks for all, `|` for one of several. What may be required of a token
is in `token_requirements`, of its issuer and of a request's path in `caller_requirements`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearward.errors import AuthError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import Refusal

__all__ = ["Requirement", "authorize"]


class Requirement(ABC):
    """Something that a principal must have. Combine with `&` and `|`.

    >>> from bearward import claim, scope
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

    def answered(self, check: object, refused: AuthError | None) -> Requirement:
        """The requirement once `check`, a part of it, was awaited for a caller; `refused` is None if the caller passed.

        Itself where it has no such part; a requirement of one's own that holds others hands this on to them.
        """
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

    def answered(self, check: object, refused: AuthError | None) -> Requirement:
        return _All(tuple(part.answered(check, refused) for part in self.parts))

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

    def answered(self, check: object, refused: AuthError | None) -> Requirement:
        return _Any(tuple(part.answered(check, refused) for part in self.parts))

    def __repr__(self) -> str:
        return " | ".join(repr(part) for part in self.parts)


def _parts(requirement: Requirement, kind: type[_All | _Any]) -> tuple[Requirement, ...]:
    if not isinstance(requirement, Requirement):
        raise ConfigurationError("requirement", "only requirements can be combined with & and |")
    return requirement.parts if isinstance(requirement, kind) else (requirement,)


def _parameters(parts: tuple[Requirement, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part.parameters))
