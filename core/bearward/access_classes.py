"""Which methods of a marked class get the guard of its mark, wherever in its bases they are written.

Rules of this file: pure. Guarded is what a framework calls: what is named as an HTTP method is, what overrides a method
of a base (as a servicer does), and `__call__`. What stands there and cannot be guarded is refused, not skipped. Classes
that are derived from a marked one are guarded like it as they are made, until a mark of their own takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from bearward.errors import ConfigurationError

__all__ = ["entered_methods", "follow_subclasses", "put_guards", "take_guards_away"]

_HTTP_METHODS: Final = frozenset({"get", "head", "post", "put", "patch", "delete", "options", "connect", "trace"})
_PLACED: Final = "__bearward_placed__"
"""Where a class keeps what its guards replaced: by name, None where the method is a base's."""
_WRAPPED: Final = (staticmethod, classmethod)


def entered_methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Name and definition of each method that a framework calls; the guards that bases of it got are looked through."""
    bases = owner.__mro__[:-1]
    names = dict.fromkeys(name for base in bases for name in vars(base))
    serves_http = not _HTTP_METHODS.isdisjoint(names)
    for name in names:
        found = [member for base in bases if (member := _written(base, name)) is not None]
        # A view's bases may have helpers of the same name; those of the view itself are its own choice.
        is_helper = serves_http and name not in vars(owner)
        if found and _is_entered(name, found, is_helper=is_helper):
            yield name, found[0]


def _is_entered(name: str, found: list[Any], *, is_helper: bool) -> bool:
    if name in _HTTP_METHODS or name == "__call__":
        return _may_be_called(found[0])
    return not name.startswith("_") and not is_helper and _overrides(*found)


def put_guards(owner: type, guard: Callable[[Any], Any]) -> None:
    """Put `guard(function)` in place of each of these methods that has none; raises `ConfigurationError`."""
    placed: dict[str, Any] = {}
    for name, member in list(entered_methods(owner)):
        function = member.__func__ if isinstance(member, _WRAPPED) else member
        if not _is_function(function):
            must = "must be a function, so that the mark of its class can guard it"
            raise ConfigurationError(f"{owner.__qualname__}.{name}", must)
        guarded = guard(function)
        if guarded is not function:
            placed[name] = vars(owner).get(name)
            setattr(owner, name, type(member)(guarded) if isinstance(member, _WRAPPED) else guarded)
    setattr(owner, _PLACED, placed)


def take_guards_away(owner: type) -> None:
    """Take away what `put_guards` put into this very class."""
    for name, before in vars(owner).get(_PLACED, {}).items():
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
    if _PLACED in vars(owner):
        delattr(owner, _PLACED)


def follow_subclasses(owner: type, made: Callable[[type], None]) -> None:
    """Have `made` called with each class that is derived from `owner`, after its own `__init_subclass__`."""
    own, after = vars(owner).get("__init_subclass__"), cast("Any", owner)

    def init_subclass(cls: Any, /, **settings: Any) -> None:
        if own is None:
            super(after, cls).__init_subclass__(**settings)
        else:
            own.__get__(None, cls)(**settings)
        made(cls)

    owner.__init_subclass__ = classmethod(init_subclass)  # type: ignore[assignment]


def _written(base: type, name: str) -> Any:
    """What stands in a class under a name, without our guard: None where that is nothing."""
    placed = vars(base).get(_PLACED, {})
    return placed[name] if name in placed else vars(base).get(name)


def _overrides(member: Any, *inherited: Any) -> bool:
    if _is_function(member):
        return any(callable(other) for other in inherited)
    return _may_be_called(member) and any(_is_function(other) for other in inherited)


def _may_be_called(member: Any) -> bool:
    return not isinstance(member, type) and (callable(member) or hasattr(type(member), "__get__"))


def _is_function(member: Any) -> bool:
    """A function of Python's, or what a compiler made of one."""
    return callable(member) and hasattr(member, "__code__")
