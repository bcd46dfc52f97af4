"""A clock that tests set: both of its hands move together, and only when told to."""

from __future__ import annotations


class FakeClock:
    """A `bearward.clock.Clock` that stands still until `forward`."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """The same hand: tests that need the two apart set their own wall clock."""
        return self._now

    def forward(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds
