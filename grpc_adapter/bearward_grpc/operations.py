"""The names of methods that may stand in a log or a metric: those that exist, never those that callers make up.

Rule of this file: a method exists if a rule names it, if its generated code is loaded, or if a server has found a handler
for it. Other names are the caller's text, and unlimited in number.
"""

from __future__ import annotations

from collections.abc import Iterable

try:
    from google.protobuf import descriptor_pool
except ImportError:  # generic handlers do without
    _POOL = None
else:
    _POOL = descriptor_pool.Default()

__all__ = ["Operations"]

_MAX_SERVED = 1024  # servers with generic handlers may make names up as they go


class Operations:
    """The methods that are known to exist: those of `rules`, by full name, and what is found out later."""

    __slots__ = ("_known",)

    def __init__(self, rules: Iterable[str]) -> None:
        self._known: set[str] = set(rules)

    def name_of(self, method: str) -> str | None:
        """`method`, if it exists; None for a name that may be invented."""
        if method in self._known:
            return method
        if _is_loaded(method):
            self._known.add(method)
            return method
        return None

    def record(self, method: str) -> None:
        """A handler was found for `method`."""
        if len(self._known) < _MAX_SERVED:
            self._known.add(method)


def _is_loaded(method: str) -> bool:
    """Whether generated code that is loaded declares it."""
    service, _, name = method.removeprefix("/").partition("/")
    try:
        return _POOL is not None and name in _POOL.FindServiceByName(service).methods_by_name
    except (KeyError, TypeError, UnicodeError):
        return False
