"""Marks: what a route says about who may pass. `@public`, `@optional`, `@requires(...)`.

Rules of this file: a mark is a frozen value that is also a decorator, so that the same word serves above a handler
and as `ctx_auth=` of a route; it marks and never wraps, because a decorator runs too late to guard (after the body,
and after the 101 of a websocket). A function has one mark, or is refused at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar, final

from bearward import AUTHENTICATED, ConfigurationError, Requirement

__all__ = ["ATTRIBUTE", "Kind", "Mark", "as_mark", "authenticated", "optional", "public", "requires"]

ATTRIBUTE: Final = "__bearward_mark__"
"""Where a marked function or class keeps its mark."""

T = TypeVar("T")


class Kind(Enum):
    """What is asked of the caller."""

    PUBLIC = "public"
    OPTIONAL = "optional"
    REQUIRED = "required"
    PREFLIGHT = "preflight"
    NOBODY = "nobody"


@final
@dataclass(frozen=True, slots=True, repr=False)
class Mark:
    """A policy of a route; hashable, compared by value, and a decorator.

    >>> from bearward import scope
    >>> requires(scope("notes:read"))
    requires(scope('notes:read'))
    >>> public == public, public == optional
    (True, False)
    """

    kind: Kind
    requirement: Requirement = AUTHENTICATED

    def __call__(self, target: T) -> T:
        """Mark a handler, a view class or a method of one, and answer it unchanged."""
        if not callable(target) or isinstance(target, Requirement | Mark):
            raise ConfigurationError(repr(self), "must stand above a handler, a view class or one of its methods")
        held = vars(target).get(ATTRIBUTE) if hasattr(target, "__dict__") else None
        if held is not None and held != self:
            raise ConfigurationError(_name(target), f"must have one mark, not {held} and {self}: combine with & or |")
        setattr(target, ATTRIBUTE, self)
        return target

    def __repr__(self) -> str:
        if self.kind is Kind.REQUIRED and self.requirement != AUTHENTICATED:
            return f"requires({self.requirement!r})"
        return "authenticated" if self.kind is Kind.REQUIRED else self.kind.value


public: Final = Mark(Kind.PUBLIC)
"""Anyone may pass; a token is not looked at."""

optional: Final = Mark(Kind.OPTIONAL)
"""Anyone may pass without a token, as principal None; one who brings a token must bring a good one."""

authenticated: Final = Mark(Kind.REQUIRED)
"""Any verified token will do: what a route without a mark asks."""

preflight: Final = Mark(Kind.PREFLIGHT)
"""An automatic OPTIONS: a CORS preflight passes, since no browser sends credentials with it (Fetch standard)."""

nobody: Final = Mark(Kind.NOBODY)
"""What no rule allows: nobody passes."""


def requires(requirement: Requirement) -> Mark:
    """A verified token that meets `requirement`: `@requires(scope("notes:read") & claim("tier", "gold"))`.

    Raises `ConfigurationError` for anything but a requirement.
    """
    if not isinstance(requirement, Requirement):
        raise ConfigurationError("requires", "must be given a requirement, such as scope('notes:read')")
    return Mark(Kind.REQUIRED, requirement)


_WORDS: Final = {"public": public, "optional": optional, "required": authenticated, "authenticated": authenticated}


def as_mark(value: Any, setting: str) -> Mark:
    """The mark that `value` means: a mark, a requirement, or one of the words; raises `ConfigurationError`.

    >>> as_mark("public", "ctx_auth")
    public
    """
    if isinstance(value, Mark) and value.kind not in (Kind.PREFLIGHT, Kind.NOBODY):
        return value
    if isinstance(value, Requirement):
        return requires(value)
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    must = "must be a requirement, public, optional, authenticated or requires(...)"
    raise ConfigurationError(setting, must)


def _name(target: object) -> str:
    return getattr(target, "__qualname__", type(target).__name__)
