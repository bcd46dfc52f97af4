"""The keys of tenants, bounded in number, in two classes: proven ones, whose keys were held, and unproven ones.

Rule of this file: a tenant whose keys were never held may have been invented by whoever sent the token, so an unproven
tenant evicts only unproven ones: no number of invented names costs a known tenant its keys. In each class the least
recently used is evicted first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bearward.jwks.issuer_keys import IssuerKeys

__all__ = ["TenantKeys"]

_MIN_UNPROVEN = 16


class TenantKeys:
    """At most `max_tenants` proven tenants, and a quarter as many unproven ones. The caller holds a lock."""

    def __init__(self, max_tenants: int) -> None:
        self._max_proven = max_tenants
        self._max_unproven = max(_MIN_UNPROVEN, max_tenants // 4)
        self._proven: OrderedDict[str, IssuerKeys] = OrderedDict()
        self._unproven: OrderedDict[str, IssuerKeys] = OrderedDict()

    def find(self, issuer: str) -> IssuerKeys | None:
        """The keys of a tenant that is remembered."""
        keys = self._proven.get(issuer)
        if keys is not None:
            self._proven.move_to_end(issuer)
            return keys
        keys = self._unproven.get(issuer)
        if keys is not None:
            self._unproven.move_to_end(issuer)
        return keys

    def add(self, issuer: str, create: Callable[[], IssuerKeys]) -> tuple[IssuerKeys, IssuerKeys | None]:
        """Create and remember keys; returns them, and those that were evicted."""
        keys = create()
        if keys.entry is not None:  # configured keys
            self._proven[issuer] = keys
            return keys, self._proven.popitem(last=False)[1] if len(self._proven) > self._max_proven else None
        self._unproven[issuer] = keys
        gone = self._unproven.popitem(last=False)[1] if len(self._unproven) > self._max_unproven else None
        return keys, gone

    def drop(self, issuer: str) -> IssuerKeys | None:
        """Forget a tenant; returns its keys."""
        return self._proven.pop(issuer, None) or self._unproven.pop(issuer, None)

    def clear(self) -> list[IssuerKeys]:
        """Forget all tenants; returns their keys."""
        gone = self.all()
        self._proven.clear()
        self._unproven.clear()
        return gone

    def promote(self) -> list[IssuerKeys]:
        """Move unproven tenants that hold keys to the proven ones; returns those that were evicted."""
        for issuer, keys in list(self._unproven.items()):
            if keys.entry is not None:
                self._proven[issuer] = self._unproven.pop(issuer)
        gone = []
        while len(self._proven) > self._max_proven:
            gone.append(self._proven.popitem(last=False)[1])
        return gone

    def proven(self) -> list[IssuerKeys]:
        """Those whose keys were held, the most recently used first."""
        return list(reversed(self._proven.values()))

    def all(self) -> list[IssuerKeys]:
        """All of them, unproven ones too."""
        return [*self.proven(), *self._unproven.values()]

    def __len__(self) -> int:
        return len(self._proven) + len(self._unproven)
