"""Configuration that cannot change: mappings that are read-only, hashable, and can be pickled and copied.

Rule of this file: pure. A read-only view of a dict (`MappingProxyType`) cannot be hashed, pickled or copied, and
configuration is passed to worker processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["FrozenMapping", "frozen"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V], Generic[K, V]):
    """A mapping that cannot be changed; equal to any mapping with the same members.

    >>> limits = FrozenMapping({"a": 1})
    >>> limits["a"], limits == {"a": 1}, hash(limits) == hash(FrozenMapping({"a": 1}))
    (1, True, True)
    """

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[K, V]) -> None:
        self._members = dict(members)

    def __getitem__(self, name: K) -> V:
        return self._members[name]

    def __iter__(self) -> Iterator[K]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __hash__(self) -> int:
        return hash(frozenset(self._members.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMapping, (self._members,)

    def __repr__(self) -> str:
        return repr(self._members)


def frozen(value: Any) -> Any:
    """The same with mappings, lists and sets, however deep, replaced by such as cannot change.

    >>> frozen({"keys": [{"kid": "a"}]})
    {'keys': ({'kid': 'a'},)}
    """
    if isinstance(value, Mapping):
        return FrozenMapping({name: frozen(item) for name, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if isinstance(value, set):
        return frozenset(value)
    return value
