"""The events of one issuer's keys, and the callback when the key set changes.

Rule of this file: what an event says comes from the health and from counting, so nothing secret can be in it; an
exception of a listener is logged and goes no further. A tenant that may be invented is not named.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bearward.bug_reports import report_bug
from bearward.events import UNKNOWN, Event, KeySetChanged, KeysRefreshed, KeysStateChanged, RefreshFailed
from bearward.fetch.errors import FetchError
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.freshness import Freshness, Trigger
from bearward.jwks.health import IssuerHealth

__all__ = ["KeyEvents"]

_log = logging.getLogger("bearward.jwks")

_PROBLEMS = frozenset({Freshness.STALE, Freshness.UNAVAILABLE})


class KeyEvents:
    """Reports what changed by `emit`. `health` is called only when there is something to report."""

    def __init__(self, emit: Callable[[Event], None], health: Callable[[], IssuerHealth]) -> None:
        self._emit = emit
        self._health = health
        self._reported = Freshness.UNAVAILABLE
        self._failing = False
        self._was_usable = False

    def record_state(self, state: Freshness) -> None:
        """The state now; the same one is not reported twice."""
        if state is Freshness.REFRESH_DUE:  # the ordinary course of things
            state = Freshness.FRESH
        before, self._reported = self._reported, state
        if state is before:
            return
        recovered = before in _PROBLEMS and self._was_usable and state not in _PROBLEMS
        self._was_usable = self._was_usable or state not in _PROBLEMS
        health = self._health()
        self._emit(KeysStateChanged(health.issuer, state.value, state in _PROBLEMS, recovered, health.line()))

    def record_success(self, trigger: Trigger, duration: float) -> None:
        """An attempt succeeded; `duration` is in seconds."""
        recovered, self._failing = self._failing, False
        health = self._health()
        rejected = sum(health.rejected_keys.values())
        self._emit(
            KeysRefreshed(
                health.issuer,
                trigger.name.lower(),
                health.generation,
                health.keys,
                rejected,
                duration,
                recovered,
                health.line(),
            )
        )

    def record_failure(
        self, trigger: Trigger, error: FetchError, duration: float, *, is_new: bool, is_unproven: bool
    ) -> None:
        """An attempt failed; `is_new` if the last one did not, or did in another way."""
        self._failing = True
        cause = error.failure.name.lower()
        if is_unproven:  # its name came with a token that was not verified
            self._emit(RefreshFailed(UNKNOWN, trigger.name.lower(), cause, duration, is_new=False))
            return
        health = self._health()
        self._emit(RefreshFailed(health.issuer, trigger.name.lower(), cause, duration, is_new, health.line()))

    def record_bug(self, error: Exception) -> None:
        """A source raised what it may not raise."""
        report_bug(_log, f"refreshing the keys of {self._health().issuer} failed in an unexpected way", error)

    def record_change(self, before: JWKSet, now: JWKSet, listener: Callable[[], None]) -> None:
        """The key set is another one than before: report it, and call `listener`."""
        health = self._health()
        old, new = before.thumbprints, now.thumbprints
        added, removed = len(new - old), len(old - new)
        self._emit(KeySetChanged(health.issuer, health.generation, added, removed, health.line()))
        try:
            listener()
        except Exception as exc:  # noqa: BLE001  (not ours; it is logged)
            report_bug(_log, "a listener for changed keys failed", exc)
