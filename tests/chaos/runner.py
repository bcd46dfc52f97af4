"""One fault after another under load: what it cost, and how long it took until a new key was accepted again.

Rule of this file: recovery is measured by what matters to a caller. When the fault is undone the issuer rotates, and
the time counts until every worker of both servers accepts tokens of the new key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from bearward.testing import SigningKey
from tests.chaos.faults import FAULTS, Environment
from tests.chaos.scene import MAX_AGE, Scene
from tests.chaos.traffic import Tally, Traffic
from tests.chaos.transports import OK, Transports

__all__ = ["Outcome", "run_faults"]

_IN_A_ROW = 8
_PATIENCE = 60.0
_SETTLE = 1.5


@dataclass(frozen=True)
class Outcome:
    """One line of the table."""

    fault: str
    tally: Tally
    fetches: int
    seconds: float
    recovered_after: float | None

    @property
    def passed(self) -> bool:
        """Nothing good refused, nothing bad accepted, and back to normal in the end."""
        return not self.tally.good_refused and not self.tally.bad_accepted and self.recovered_after is not None

    def cells(self) -> list[str]:
        """As text."""
        refused, accepted = (
            f"{counter.total()}" + (f" {dict(counter)}" if counter else "")
            for counter in (self.tally.good_refused, self.tally.bad_accepted)
        )
        after = "never" if self.recovered_after is None else f"{self.recovered_after:.1f} s"
        return [
            self.fault,
            f"{self.tally.requests}",
            refused,
            accepted,
            f"{self.fetches} in {self.seconds:.0f} s",
            after,
        ]


async def run_faults(
    names: list[str], *, seconds: float, per_tick: int, told: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Run the faults of these names, each for `seconds`, on one scene; `told` hears of each outcome at once."""
    outcomes: list[Outcome] = []
    with Scene() as scene:
        async with Transports(scene.servers) as transports:
            traffic = Traffic(scene.issuer, transports, per_tick=per_tick)
            if await _accepted(transports, scene, traffic.signing_key) is None:
                raise RuntimeError(f"the servers do not accept a good token: {scene.errors()}")
            for name in names:
                outcomes.append(await _one(name, scene, traffic, seconds))
                told(outcomes[-1])
            outcomes.append(await _withdrawal(scene, traffic))
            told(outcomes[-1])
    return outcomes


async def _one(name: str, scene: Scene, traffic: Traffic, seconds: float) -> Outcome:
    traffic.tally, fetched, began = Tally(), scene.fetches(), time.monotonic()
    load = asyncio.create_task(traffic.run())
    try:
        async with FAULTS[name](Environment(scene, traffic, seconds)):
            await asyncio.sleep(seconds)
        fetched, lasted = scene.fetches() - fetched, time.monotonic() - began
        new_key = scene.issuer.rotate()
        recovered_after = await _accepted(traffic.transports, scene, new_key)
        await asyncio.sleep(_SETTLE)
    finally:
        load.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await load
    traffic.signing_key = new_key
    return Outcome(name, traffic.tally, fetched, lasted, recovered_after)


async def _withdrawal(scene: Scene, traffic: Traffic) -> Outcome:
    """A key is withdrawn: its tokens are good until then, and bad once `max_age` went by."""
    traffic.tally, fetched, began = Tally(), scene.fetches(), time.monotonic()
    withdrawn = traffic.signing_key
    scene.issuer.publish_next()
    load = asyncio.create_task(traffic.run())
    try:
        await asyncio.sleep(MAX_AGE + _SETTLE)
        traffic.signing_key = scene.issuer.rotate()
        await asyncio.sleep(0.2)
        scene.issuer.withdraw(withdrawn)
        gone_after = await _refused(traffic.transports, scene, withdrawn)
        traffic.bad.append(lambda: scene.issuer.mint(key=withdrawn))
        await asyncio.sleep(_SETTLE)
        traffic.bad.pop()
    finally:
        load.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await load
    fetched = scene.fetches() - fetched
    return Outcome("key withdrawn (until refused)", traffic.tally, fetched, time.monotonic() - began, gone_after)


async def _accepted(transports: Transports, scene: Scene, key: SigningKey) -> float | None:
    """Seconds until tokens of `key` are accepted, several times in a row by each transport."""
    return await _until(transports, scene, key, accepted=True)


async def _refused(transports: Transports, scene: Scene, key: SigningKey) -> float | None:
    return await _until(transports, scene, key, accepted=False)


async def _until(transports: Transports, scene: Scene, key: SigningKey, *, accepted: bool) -> float | None:
    began = time.monotonic()
    for call in transports.calls.values():
        in_a_row, since = 0, began
        while in_a_row < _IN_A_ROW:
            since = time.monotonic() if in_a_row == 0 else since
            verdict = await call(scene.issuer.mint(key=key))
            in_a_row = in_a_row + 1 if (verdict == OK) is accepted else 0
            if time.monotonic() - began > _PATIENCE:
                return None
            await asyncio.sleep(0.02)
    return time.monotonic() - began
