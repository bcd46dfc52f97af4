"""What is said about one issuer's keys: one line for each change of state, and the callback for other keys.

Rule of this file: lines come from the health, so nothing secret can be in them; what fails in a listener stays there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bearward.jwks.freshness import Freshness
from bearward.jwks.health import IssuerHealth

__all__ = ["Announcer"]

_log = logging.getLogger("bearward.jwks")

_WORRYING = frozenset({Freshness.STALE, Freshness.UNAVAILABLE})


class Announcer:
    """Says what changed. `health` is asked only when there is something to say."""

    def __init__(self, health: Callable[[], IssuerHealth]) -> None:
        self._health = health
        self._told = Freshness.UNAVAILABLE

    def state(self, state: Freshness) -> None:
        """The state now; the same one is not told twice."""
        if state is Freshness.AHEAD:  # the ordinary course of things
            state = Freshness.FRESH
        if state is not self._told:
            self._told = state
            level = logging.WARNING if state in _WORRYING else logging.INFO
            _log.log(level, "keys are %s: %s", state.value, self._health().line())

    def failure(self) -> None:
        """An attempt failed in a way that the last one did not."""
        _log.warning("keys cannot be refreshed: %s", self._health().line())

    def bug(self) -> None:
        """Something raised what nobody expected; called while that is being handled."""
        _log.exception("refreshing keys failed in an unexpected way: %s", self._health().line())

    def other_keys(self, listener: Callable[[], None]) -> None:
        """The key set is another one than before."""
        _log.info("the key set changed: %s", self._health().line())
        try:
            listener()
        except Exception:  # noqa: BLE001  (not ours; it is logged)
            _log.exception("what listens for other keys failed")
