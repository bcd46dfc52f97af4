"""An event loop for tests of time: hours pass in it at once."""

from __future__ import annotations

import asyncio

__all__ = ["SkippingLoop"]


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait: where it would, its time and that of its clock go on instead.

    It is a `bearward.clock.Clock` too. `wall` may be moved on its own, as by a time server; `suspend` is a machine's sleep,
    in which the loop's own time stands still.
    """

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.suspended = 0.0
        self.wall = 1_800_000_000.0
        select = self._selector.select  # type: ignore[attr-defined]

        def skip(timeout: float | None) -> object:
            if timeout:
                self.passed += timeout
                self.wall += timeout
            return select(0)

        self._selector.select = skip  # type: ignore[attr-defined]

    def time(self) -> float:
        """What timers go by."""
        return self.passed

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep."""
        self.suspended += seconds
        self.wall += seconds

    def now(self) -> float:
        """The wall clock."""
        return self.wall

    def monotonic(self) -> float:
        """All time, suspended or not."""
        return self.passed + self.suspended
