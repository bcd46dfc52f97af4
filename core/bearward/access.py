"""Access rules: who may call a method or a route. One type for every adapter.

Rules of this file: pure; a rule is a frozen value that is also a decorator, so that the same object serves as a value
of a mapping, as a mark on a handler and as an option of a route. A mark enforces itself: whatever is marked with a rule
that requires a token refuses every call that no gate admitted by that very rule (see `access_guard`), so that a missing
interceptor, an extension that was never installed, or a decorator that hides the mark opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar, final

from bearward.access_classes import follow_subclasses, put_guards, take_guards_away
from bearward.access_guard import guarded, name_of, on_unguarded_call, register_gate, unmarked
from bearward.errors import AuthError, CheckNeededError, ConfigurationError
from bearward.mistakes import nearest
from bearward.principal import Principal
from bearward.refusals import Refusal
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


class Kind(Enum):
    """What a rule asks of the caller."""

    PUBLIC = "public"
    OPTIONAL = "optional"
    REQUIRED = "required"
    DENIED = "deny"


@final
@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """An access rule: hashable, compared by value, and a decorator. Made by `requires`, or one of the four below.

    >>> from bearward.token_requirements import scope
    >>> requires(scope("notes:read"))
    requires(scope('notes:read'))
    >>> requires(scope("notes:read")) == requires(scope("notes:read")), public == optional
    (True, False)
    """

    kind: Kind
    requirement: Requirement | None = None

    def refusal(
        self, principal: Principal, now: float, parameters: Mapping[str, Any] | None = None
    ) -> AuthError | None:
        """Why a verified caller may not pass at `now` (seconds since the epoch); None if the caller may.

        `parameters` are those of the request's path, where the transport has such. Raises `CheckNeededError` if an
        asynchronous check of the service's own must be awaited: `refusal_awaiting` does that.

        >>> deny.refusal(Principal({"iss": "https://login.example"}, key_thumbprint="k1"), 0.0)
        AuthError('no_rule')
        """
        requirement = self.requirement
        if requirement is not None:
            if parameters and requirement.parameters:
                requirement = requirement.bound_to(parameters)
            unmet = requirement.unmet(principal, now)
            return None if unmet is None else copy(unmet)  # some requirement may give out the same one each time
        return AuthError(Refusal.NO_RULE) if self.kind is Kind.DENIED else None

    async def refusal_awaiting(
        self, principal: Principal, now: float, parameters: Mapping[str, Any] | None = None
    ) -> AuthError | None:
        """As `refusal`; awaits the asynchronous checks that the decision needs, one after the other, each once.

        `now` is in seconds since the epoch, and `parameters` are those of the request's path.
        """
        rule, asked = self, None
        while True:
            try:
                return rule.refusal(principal, now, parameters)
            except CheckNeededError as needed:
                if needed.check == asked or rule.requirement is None:
                    raise  # a requirement of one's own keeps the answer from its parts
                asked = needed.check
            bound = rule.requirement.bound_to(parameters) if parameters else rule.requirement
            rule = replace(rule, requirement=bound.answered(asked, await asked.ask(principal)))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes worth naming in a challenge (RFC 6750 section 3)."""
        return () if self.requirement is None else self.requirement.scopes

    @property
    def admits_anonymous(self) -> bool:
        """Whether a call without a token may pass."""
        return self.kind is Kind.PUBLIC or self.kind is Kind.OPTIONAL

    def __call__(self, target: T) -> T:
        """Mark a handler, a method of a servicer, or a view or servicer class; raises `ConfigurationError`.

        A function under a rule that asks for a token comes back behind a guard: it raises `AuthError` (NO_RULE) unless
        a gate let the call in by this rule. Of a class, the methods that a framework calls get that guard, inherited ones
        and those of classes derived from it too: those named as an HTTP method is, those that override a method of a
        base class, and `__call__`. One of them that is no function is refused.
        """
        if isinstance(target, staticmethod | classmethod):
            return type(target)(self(target.__func__))
        if not callable(target) or isinstance(target, Requirement | Access):
            raise ConfigurationError(repr(self), "must stand above a handler, a method of a servicer or a view class")
        held = _own_mark(target)
        if held is not None and held != self:
            raise ConfigurationError(name_of(target), f"must have one mark, not {held} and {self}: combine with & or |")
        if held is None:
            target = self._mark(target)
        return target

    def _mark(self, target: Any) -> Any:
        if isinstance(target, type):
            take_guards_away(target)  # those of the mark of a base
            if not self.admits_anonymous:
                put_guards(target, self._mark_method)
                follow_subclasses(target, _guard_as_its_base)
        elif not self.admits_anonymous:
            target = guarded(target, self)
        setattr(target, _MARK, self)
        return target

    def _mark_method(self, function: Any) -> Any:
        return self._mark(function) if mark_of(function) is None else function

    def __bool__(self) -> bool:
        raise TypeError("a rule is neither true nor false: compare it, or ask its `kind`")

    def __repr__(self) -> str:
        if self.requirement is not None:
            return f"requires({self.requirement!r})"
        return "authenticated" if self.kind is Kind.REQUIRED else self.kind.value


public: Final = Access(Kind.PUBLIC)
"""Anyone may pass, with or without a token. Tokens are ignored."""

optional: Final = Access(Kind.OPTIONAL)
"""Anyone may pass without a token, as principal None; a token, if there is one, must be valid."""

authenticated: Final = Access(Kind.REQUIRED)
"""Any verified token may pass."""

deny: Final = Access(Kind.DENIED)
"""No one may pass: the default for everything without a rule."""

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

    >>> from bearward.token_requirements import scope
    >>> as_access("public", "ctx_auth"), as_access(scope("notes:read"), "policy")
    (public, requires(scope('notes:read')))
    """
    if isinstance(value, Access):
        return value
    if isinstance(value, Requirement):
        return requires(value)
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    near = nearest(value, _WORDS) if isinstance(value, str) else ""
    raise ConfigurationError(setting, f"must be public, optional, authenticated, deny or requires(...){near}")


def mark_of(target: object) -> Access | None:
    """The rule that `target` carries, if it is marked (a class inherits its base's, a wrapper its function's)."""
    mark = getattr(target, _MARK, None)
    return mark if isinstance(mark, Access) else None


def _guard_as_its_base(derived: type) -> None:
    rule = mark_of(derived)
    if rule is not None and not rule.admits_anonymous:
        put_guards(derived, rule._mark_method)  # noqa: SLF001


def _own_mark(target: object) -> Access | None:
    held = vars(target).get(_MARK) if hasattr(target, "__dict__") else None
    return held if isinstance(held, Access) else None
