"""The `authorization` values of recent calls, so that a token that comes with every call is not hashed every time.

Rules of this file: remembered, not trusted: the verifier is asked about the entry of the token cache each time, so a value
is good for no moment longer than its entry. It is also kept no longer: what has ended is forgotten within seconds, calls
or none. Bounded in number and in size. Of tokens that are bound to a key nothing is kept.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from typing import Final

from bearward.adapters import CacheEntry
from bearward.principal import Principal
from bearward.verifier import Verifier

__all__ = ["RecentValues"]

Value = str | bytes

_SWEEP: Final = 5.0
"""Seconds between two looks for what has ended."""
_MAX_VALUES: Final = 512
_MAX_LENGTH: Final = 4096
"""In characters; so 2 MiB at most, and as much again of values that were seen once."""


class RecentValues:
    """What the calls of one server brought; for its event loop alone."""

    __slots__ = ("_entry_of", "_is_still_valid", "_kept", "_loop", "_once")

    def __init__(self, verifier: Verifier) -> None:
        self._is_still_valid = verifier.is_still_valid
        self._entry_of = verifier.cached_entry
        self._kept: dict[Value, tuple[str, Principal, CacheEntry]] = {}
        self._once: set[Value] = set()
        self._loop: AbstractEventLoop | None = None

    def get(self, value: Value) -> tuple[str, Principal] | None:
        """Token and principal of a value, if its token is as good as when it was verified."""
        kept = self._kept.get(value)
        if kept is None:
            return None
        token, principal, entry = kept
        if self._is_still_valid(entry):
            return token, principal
        del self._kept[value]
        return None

    def verified(self, value: Value, token: str) -> None:
        """The token of this value was verified; it is kept when it comes a second time, since most never do."""
        if len(value) > _MAX_LENGTH:
            return
        if value not in self._once:
            if len(self._once) >= _MAX_VALUES:
                self._once.clear()
            self._once.add(value)
        else:
            self._once.discard(value)
            entry = self._entry_of(token)
            if entry is not None:
                if len(self._kept) >= _MAX_VALUES:
                    self._kept.clear()
                self._kept[value] = token, entry.principal, entry
        self._sweep_later()

    def __len__(self) -> int:
        return len(self._kept) + len(self._once)

    def _sweep_later(self) -> None:
        if self._loop is None or self._loop.is_closed():
            self._loop = get_running_loop()
            self._loop.call_later(_SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._loop = None
        self._once.clear()
        self._kept = {value: kept for value, kept in self._kept.items() if self._is_still_valid(kept[2])}
        if self._kept:
            self._sweep_later()
