"""The keys of tenants, within bounds, in two classes: those that have proved themselves, and newcomers.

Rule of this file: a tenant that never had keys may be a stranger's invention, so newcomers make room for newcomers only:
no flood of invented names costs a known tenant its keys. In each class the longest unused goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bearward.jwks.issuer_keys import IssuerKeys

__all__ = ["TenantKeys"]

_LEAST_NEWCOMERS = 16


class TenantKeys:
    """At most `most` tenants with keys, and a quarter as many newcomers. Not safe on several threads by itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_newcomers = max(_LEAST_NEWCOMERS, most // 4)
        self._proven: OrderedDict[str, IssuerKeys] = OrderedDict()
        self._newcomers: OrderedDict[str, IssuerKeys] = OrderedDict()

    def find(self, issuer: str) -> IssuerKeys | None:
        """The keys of a tenant that is remembered."""
        keys = self._proven.get(issuer)
        if keys is not None:
            self._proven.move_to_end(issuer)
            return keys
        keys = self._newcomers.get(issuer)
        if keys is not None:
            self._newcomers.move_to_end(issuer)
        return keys

    def add(self, issuer: str, make: Callable[[], IssuerKeys]) -> tuple[IssuerKeys, IssuerKeys | None]:
        """Make and remember keys; answers them, and those that had to go."""
        keys = make()
        if keys.entry is not None:  # configured keys
            self._proven[issuer] = keys
            return keys, self._proven.popitem(last=False)[1] if len(self._proven) > self._most else None
        self._newcomers[issuer] = keys
        gone = self._newcomers.popitem(last=False)[1] if len(self._newcomers) > self._most_newcomers else None
        return keys, gone

    def drop(self, issuer: str) -> IssuerKeys | None:
        """Forget a tenant; answers its keys."""
        return self._proven.pop(issuer, None) or self._newcomers.pop(issuer, None)

    def promote(self) -> list[IssuerKeys]:
        """Move newcomers that hold keys to the proven ones; answers those that had to go."""
        for issuer, keys in list(self._newcomers.items()):
            if keys.entry is not None:
                self._proven[issuer] = self._newcomers.pop(issuer)
        gone = []
        while len(self._proven) > self._most:
            gone.append(self._proven.popitem(last=False)[1])
        return gone

    def proven(self) -> list[IssuerKeys]:
        """Those that have had keys, the most recently used first."""
        return list(reversed(self._proven.values()))

    def all(self) -> list[IssuerKeys]:
        """All of them, newcomers too."""
        return [*self.proven(), *self._newcomers.values()]

    def __len__(self) -> int:
        return len(self._proven) + len(self._newcomers)
