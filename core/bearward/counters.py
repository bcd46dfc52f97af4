"""What a verifier counts and remembers of its events for its health: an observer like any other, and always there.

Rule of this file: only what is rare is counted here, so that a request that passes costs nothing. For exact numbers by
transport and issuer there is `bearward.telemetry`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bearward.events import Event, Refused, RulesDecided, StreamEnded, Transport
from bearward.forks import fork_safe
from bearward.observers import Ignoring

__all__ = ["Counters"]


class Counters(Ignoring):
    """How often callers were refused, and streams ended, by code; and which rules were decided last."""

    kinds: Final = frozenset({Refused, StreamEnded, RulesDecided})

    def __init__(self) -> None:
        self._lock = fork_safe(threading.Lock())
        self._refused: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._rules: dict[str, Mapping[str, str]] = {}

    def __call__(self, event: Event) -> None:
        """Count one event; refusals were counted by `ignores`."""
        with self._lock:
            if isinstance(event, StreamEnded):
                self._ended[event.code] += 1
            elif isinstance(event, RulesDecided):
                self._rules[event.transport] = event.rules

    def ignores(self, code: str, issuer: str, transport: Transport | None) -> bool:
        """Count a refusal by its code, which is all that is needed here."""
        with self._lock:
            self._refused[code] += 1
        return True

    @property
    def refused(self) -> Mapping[str, int]:
        """Refusals by code, since the process started."""
        with self._lock:
            return MappingProxyType(dict(self._refused))

    @property
    def ended(self) -> Mapping[str, int]:
        """Streams and sockets that were ended, by code."""
        with self._lock:
            return MappingProxyType(dict(self._ended))

    @property
    def rules(self) -> Mapping[str, Mapping[str, str]]:
        """By transport: each rule, by the name of what it is about."""
        with self._lock:
            return MappingProxyType(dict(self._rules))

    def __repr__(self) -> str:
        return f"<Counters: {self._refused.total()} refused, {self._ended.total()} ended>"
