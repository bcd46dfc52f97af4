"""The log of one issuer's keys: one line for each change of state, and the callback when the key set changes.

Rule of this file: lines come from the health, so nothing secret can be in them; an exception of a listener is logged and
goes no further.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bearward.bug_reports import report_bug
from bearward.jwks.freshness import Freshness
from bearward.jwks.health import IssuerHealth

__all__ = ["StateLog"]

_log = logging.getLogger("bearward.jwks")

_PROBLEMS = frozenset({Freshness.STALE, Freshness.UNAVAILABLE})


class StateLog:
    """Logs what changed. `health` is called only when there is something to log."""

    def __init__(self, health: Callable[[], IssuerHealth]) -> None:
        self._health = health
        self._logged = Freshness.UNAVAILABLE

    def record_state(self, state: Freshness) -> None:
        """The state now; the same one is not logged twice."""
        if state is Freshness.REFRESH_DUE:  # the ordinary course of things
            state = Freshness.FRESH
        if state is not self._logged:
            self._logged = state
            level = logging.WARNING if state in _PROBLEMS else logging.INFO
            _log.log(level, "keys are %s: %s", state.value, self._health().line())

    def record_failure(self) -> None:
        """An attempt failed in another way than the last one."""
        _log.warning("keys cannot be refreshed: %s", self._health().line())

    def record_bug(self, error: Exception) -> None:
        """A source raised what it may not raise."""
        report_bug(_log, f"refreshing the keys of {self._health().issuer} failed in an unexpected way", error)

    def record_change(self, listener: Callable[[], None]) -> None:
        """The key set is another one than before: log it, and call `listener`."""
        _log.info("the key set changed: %s", self._health().line())
        try:
            listener()
        except Exception as exc:  # noqa: BLE001  (not ours; it is logged)
            report_bug(_log, "a listener for changed keys failed", exc)
