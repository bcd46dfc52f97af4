"""A dictionary that cannot be changed, and that goes wherever configuration goes.

Rule of this file: pure. `types.MappingProxyType` cannot be pickled, copied or hashed, so configuration that holds one
cannot be sent to a worker process that is spawned; this can.
"""

from __future__ import annotations

from typing import Never, TypeVar

__all__ = ["FrozenDict"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """An immutable `dict`: hashable where its values are, equal to any mapping with the same items.

    >>> settings = FrozenDict({"token_use": "access"})
    >>> settings["token_use"] = "id"
    Traceback (most recent call last):
        ...
    TypeError: this mapping cannot be changed
    """

    __slots__ = ()

    def _immutable(self, *_: object, **__: object) -> Never:
        raise TypeError("this mapping cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _immutable
    clear = pop = popitem = setdefault = update = _immutable

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        return type(self), (dict(self),)
