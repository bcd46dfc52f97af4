"""Keys on any thread and from any loop, changes told once, and clocks that are set."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bearward.jwks.freshness import Freshness
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, started


@pytest.mark.thorough
def test_current_and_miss_may_be_called_on_any_thread(run: Run, issuer: LocalIssuer) -> None:
    """Threads that look while the loop refreshes see the old set or the new one, never anything else."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            stop, seen, failures = threading.Event(), set(), []

            def look() -> None:
                try:
                    while not stop.is_set():
                        found = keys.current()
                        assert found is not None
                        seen.add(found.generation)
                        keys.decide_on_miss("kid", found.generation)
                        keys.health()
                except BaseException as error:  # noqa: BLE001  (told below)
                    failures.append(error)

            threads = [threading.Thread(target=look) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(5):
                clock.forward(10)
                await keys.refresh_after_miss(issuer.rotate().kid, keys.current().generation)  # type: ignore[union-attr]
            await eventually(lambda: held.generation + 5 in seen)
            stop.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            assert not failures

    run(scenario())


def test_refresh_found_due_in_a_thread_runs_on_the_loop(run: Run, issuer: LocalIssuer) -> None:
    """The thread gets its answer at once; the loop fetches."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            await keys.get()
            clock.forward(500)
            assert await asyncio.to_thread(keys.current) is not None
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            await eventually(lambda: keys.health().state is Freshness.FRESH)

    run(scenario())


def test_keys_can_be_awaited_on_another_loop(run: Run, issuer: LocalIssuer) -> None:
    """The fetch happens on the store's own loop; a caller on another one gets the answer there."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await asyncio.to_thread(lambda: asyncio.run(keys.get()))
            assert held is keys.current()
            kid = issuer.rotate().kid
            again = await asyncio.to_thread(lambda: asyncio.run(keys.refresh_after_miss(kid, held.generation)))
            assert again.jwk_set.holds(kid)

    run(scenario())


def test_each_change_calls_the_listener_once_on_the_loop(run: Run, issuer: LocalIssuer) -> None:
    """A first set is no change, the same set is none, and a listener that fails breaks nothing."""
    told: list[int] = []

    def listener(keys: IssuerKeys) -> None:
        told.append(keys.health().generation)
        raise RuntimeError("a listener's own trouble")

    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock, on_change=listener) as (_, keys):
            held = await keys.get()
            for _ in range(2):
                clock.forward(10)
                await keys.refresh_after_miss("nobody's", held.generation)
            clock.forward(10)
            await keys.refresh_after_miss(issuer.rotate().kid, held.generation)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
    assert told == [2]


def test_wall_clock_set_back_blocks_no_refresh(run: Run, issuer: LocalIssuer) -> None:
    """Ages are measured by the monotonic clock; an answer that came later is newer, whatever the wall clock says."""

    class SetBack(FakeClock):
        behind = 0.0

        def now(self) -> float:
            return self._now - self.behind

    clock = SetBack()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            clock.behind = 7200.0
            clock.forward(10)
            kid = issuer.rotate().kid
            assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
