"""Access rules: who may call a method or a route. One type for every adapter.

Rules of this file: pure; a rule is a frozen value that is also a decorator, so that the same object serves as a value
of a mapping, as a mark on a handler and as an option of a route. A mark is never a mere note: what is marked with a rule
that asks for a token refuses every call that no gate let in by that very rule, so that a missing interceptor, an
extension that was never installed, or a decorator that swallowed the mark opens nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, Final, TypeVar, final

from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.principal import Principal
from bearward.requirements import Requirement

__all__ = [
    "Access",
    "Kind",
    "as_access",
    "authenticated",
    "deny",
    "mark_of",
    "on_unguarded_call",
    "optional",
    "public",
    "register_gate",
    "requires",
    "unmarked",
]

T = TypeVar("T")

_MARK: Final = "__bearward_access__"
"""Where a marked function or class keeps its rule."""
_INNER: Final = "__bearward_unmarked__"
"""Where the guard of a marked function keeps itself and the function."""


class Kind(Enum):
    """What a rule asks of the caller."""

    PUBLIC = "public"
    OPTIONAL = "optional"
    REQUIRED = "required"
    DENIED = "deny"


@final
@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """An access rule; hashable, compared by value, and a decorator. Made by `requires`, or one of the four below.

    >>> from bearward.requirements import scope
    >>> requires(scope("notes:read"))
    requires(scope('notes:read'))
    >>> requires(scope("notes:read")) == requires(scope("notes:read")), public == optional
    (True, False)
    """

    kind: Kind
    requirement: Requirement | None = None

    def refusal(self, principal: Principal, now: float) -> AuthError | None:
        """Why a verified caller may not pass at `now` (seconds since the epoch); None where nothing stands against it.

        >>> deny.refusal(Principal({"iss": "https://login.example"}, key_thumbprint="k1"), 0.0)
        AuthError('no_rule')
        """
        if self.requirement is not None:
            return self.requirement.unmet(principal, now)
        return AuthError(Refusal.NO_RULE) if self.kind is Kind.DENIED else None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes worth naming in a challenge (RFC 6750 section 3)."""
        return () if self.requirement is None else self.requirement.scopes

    @property
    def admits_anonymous(self) -> bool:
        """Whether a call without a token may pass."""
        return self.kind is Kind.PUBLIC or self.kind is Kind.OPTIONAL

    def __call__(self, target: T) -> T:
        """Mark a handler, a method of a servicer, or a view class; raise `ConfigurationError` for a second, other mark.

        A function under a rule that asks for a token comes back behind a guard: it raises `AuthError` (NO_RULE) unless
        a gate let the call in by this rule.
        """
        if not callable(target) or isinstance(target, Requirement | Access):
            raise ConfigurationError(repr(self), "must stand above a handler, a method of a servicer or a view class")
        held = _own_mark(target)
        if held is not None and held != self:
            raise ConfigurationError(_name(target), f"must have one mark, not {held} and {self}: combine with & or |")
        if held is not None:
            return target
        guarded = target if self.admits_anonymous or isinstance(target, type) else _guarded(target, self)
        setattr(guarded, _MARK, self)
        return guarded

    def __bool__(self) -> bool:
        raise TypeError("a rule is neither true nor false: compare it, or ask its `kind`")

    def __repr__(self) -> str:
        if self.requirement is not None:
            return f"requires({self.requirement!r})"
        return "authenticated" if self.kind is Kind.REQUIRED else self.kind.value


public: Final = Access(Kind.PUBLIC)
"""Anyone may pass, with or without a token. A token is not looked at."""

optional: Final = Access(Kind.OPTIONAL)
"""Anyone may pass without a token, as principal None; one who brings a token must bring a good one."""

authenticated: Final = Access(Kind.REQUIRED)
"""Any verified token may pass."""

deny: Final = Access(Kind.DENIED)
"""Nobody may pass: the default where nothing is said."""

_WORDS: Final = {str(rule): rule for rule in (public, optional, authenticated, deny)}


def requires(requirement: Requirement) -> Access:
    """A verified token that meets `requirement`: `@requires(scope("notes:read") & claim("tier", "gold"))`.

    Raises `ConfigurationError` for anything but a requirement.
    """
    if not isinstance(requirement, Requirement):
        raise ConfigurationError("requires", "must be given a requirement, such as scope('notes:read')")
    return Access(Kind.REQUIRED, requirement)


def as_access(value: object, setting: str) -> Access:
    """The rule that `value` means: a rule, a requirement, or one of the four words; raises `ConfigurationError`.

    >>> from bearward.requirements import scope
    >>> as_access("public", "ctx_auth"), as_access(scope("notes:read"), "policy")
    (public, requires(scope('notes:read')))
    """
    if isinstance(value, Access):
        return value
    if isinstance(value, Requirement):
        return requires(value)
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    raise ConfigurationError(setting, "must be public, optional, authenticated, deny or requires(...)")


def mark_of(target: object) -> Access | None:
    """The rule that `target` carries, if it is marked (a class inherits its base's, a wrapper its function's)."""
    mark = getattr(target, _MARK, None)
    return mark if isinstance(mark, Access) else None


def unmarked(target: Any) -> Any:
    """The function behind the guard of a mark; anything else as it is.

    For an adapter that has decided by the mark itself, and so needs no second look.
    """
    guard, function = getattr(target, _INNER, (None, None))
    # `functools.wraps` copies the note to a decorator around the guard, whose own work must not be skipped.
    return function if guard is target else target


Gate = Callable[[tuple[Any, ...]], Access | None]
"""From the arguments of a call to the rule by which a gate let it in; None where it knows of no such call."""
_gates: list[Gate] = []
_listeners: list[Callable[[str, Access], None]] = []


def register_gate(applied: Gate) -> None:
    """Have marks ask `applied` by which rule a call was let in; an adapter does so when it is imported."""
    _gates.append(applied)


def on_unguarded_call(listener: Callable[[str, Access], None]) -> None:
    """Have `listener` called with the name and the mark of whatever refuses since no gate let the call in."""
    _listeners.append(listener)


def _check(function: Any, rule: Access, arguments: tuple[Any, ...]) -> None:
    """Raise `AuthError` unless a gate let this call in by `rule`."""
    for applied in _gates:
        if applied(arguments) == rule:
            return
    for listener in _listeners:
        listener(_name(function), rule)
    raise AuthError(Refusal.NO_RULE)


def _guarded(function: Any, rule: Access) -> Any:
    """`function`, of the same kind to whoever inspects it, behind `_check`."""
    guard: Any
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def guard(*args: Any, **kwargs: Any) -> Any:
            _check(function, rule, args)
            return await function(*args, **kwargs)

    elif inspect.isasyncgenfunction(function):

        @wraps(function)
        async def guard(*args: Any, **kwargs: Any) -> Any:
            _check(function, rule, args)
            async with aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    elif inspect.isgeneratorfunction(function):

        @wraps(function)
        def guard(*args: Any, **kwargs: Any) -> Any:
            _check(function, rule, args)
            yield from function(*args, **kwargs)

    else:

        @wraps(function)
        def guard(*args: Any, **kwargs: Any) -> Any:
            _check(function, rule, args)
            return function(*args, **kwargs)

    setattr(guard, _INNER, (guard, function))
    return guard


def _own_mark(target: object) -> Access | None:
    held = vars(target).get(_MARK) if hasattr(target, "__dict__") else None
    return held if isinstance(held, Access) else None


def _name(target: object) -> str:
    return getattr(target, "__qualname__", type(target).__name__)
