"""The state of a shared list: what is known before and after its life, what waits for it, and what it reports."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bearward import RevocationNotSharedError, SharedRevocations
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.events import Event, RevocationStoreDown, RevocationStoreUp
from bearward.observers import Observers
from bearward.revocation.log import RevocationLog
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import eventually

ISSUER, SECRET = "https://login.example", b"0123456789abcdef"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is up, and keeps nothing on disk."""
    with Valkey(tmp_path) as server:
        yield server


def shared(cache: Any, **changes: Any) -> SharedRevocations:
    """The list of one process."""
    settings: dict[str, Any] = {"cache_secret": SECRET, "on_failure": "refuse", "grace": 0.1, "poll_interval": 0.02}
    return SharedRevocations(cache=cache, **{**settings, **changes})


@asynccontextmanager
async def started(*lists: SharedRevocations) -> AsyncIterator[None]:
    """All lists at work."""
    for one in lists:
        await one.start()
    try:
        yield
    finally:
        for one in lists:
            await one.aclose()


class Ahead(SystemClock):
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.now = lambda: time.time() + self.ahead
        self.monotonic = lambda: time.monotonic() + self.ahead


@pytest.mark.parametrize(("choice", "revision"), [("refuse", -1), ("accept", 0)])
def test_on_failure_decides_before_the_start_too(choice: str, revision: int) -> None:
    """No verification can have been made under the revision of a list that refuses everything."""
    one = shared("redis://cache.invalid", on_failure=choice)
    assert not one.store_responds
    assert one.available == (choice == "accept")
    assert one.revision == revision
    assert one.lag is None


def test_any_aiocache_object_is_a_store(valkey: Valkey, run: Run) -> None:
    """It is shared with those who name the same store by its URL."""
    make = backend_factory(valkey.url, timeout=5)
    assert make is not None
    cache = make()

    async def use() -> None:
        one, two = shared(cache), shared(valkey.url)
        async with started(one, two):
            one.revoke_token(ISSUER, "t1", until=4e9)
            await one.flush()
            await eventually(lambda: len(two) == 1, "the revocation")

    run(use())


def test_lag_is_the_time_since_the_last_success(valkey: Valkey, run: Run) -> None:
    """Since the start where there was none; for as long as the store fails it grows."""
    clock = Ahead()

    async def use() -> None:
        one, failing = shared(valkey.url, clock=clock), shared("redis://127.0.0.1:1", clock=clock)
        async with started(one, failing):
            assert one.lag is not None
            assert failing.lag is not None
            clock.ahead = 1000.0
            assert failing.lag >= 1000.0
            await eventually(lambda: (one.lag or math.inf) < 900.0, "the next success")

    run(use())


def test_start_returns_as_soon_as_the_store_was_read(valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is for stores that do not respond; and a second verifier on the same loop starts nothing anew."""
    monkeypatch.setattr("bearward.revocation.shared._START_WAIT", 3600.0)

    async def use() -> None:
        one = shared(valkey.url)
        async with asyncio.timeout(30):
            await one.start()
            at_work = len(asyncio.all_tasks())
            await one.start()
        assert len(asyncio.all_tasks()) == at_work
        await one.aclose()
        assert one.store_responds
        await one.aclose()

    run(use())


def test_list_moves_to_another_loop_when_its_own_is_closed(valkey: Valkey, run: Run) -> None:
    """A verifier that was left behind with its loop does not keep the next one from being started."""
    one = shared(valkey.url)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(one.start())

    async def flush_elsewhere() -> None:
        async with asyncio.timeout(30):
            with pytest.raises(
                RevocationNotSharedError
            ):  # nothing runs there, so nobody would ever say that it is done
                await one.flush()

    run(flush_elsewhere())
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(one._cache.aclose())
    loop.close()

    async def use() -> None:
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=4e9)
            await one.flush()
        await one.aclose()

    run(use())


def test_close_shares_what_is_not_shared_yet(valkey: Valkey, run: Run) -> None:
    """The process that revoked may be gone a moment later."""

    async def use() -> None:
        one, two = shared(valkey.url), shared(valkey.url)
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=4e9)
        async with started(two):
            assert len(two) == 1

    run(use())


@pytest.mark.parametrize(("choice", "told"), [("refuse", [None]), ("accept", [])])
def test_closed_list_counts_as_failed(valkey: Valkey, run: Run, choice: str, told: list[None]) -> None:
    """Whatever rests on it is checked again, where that decides; a list that was never started is as it was."""

    async def use() -> None:
        one, never = shared(valkey.url, on_failure=choice), shared(valkey.url)
        changes: list[Any] = []
        async with started(one):
            one.on_change(changes.append)
        assert changes == told
        assert "closed" in one.health()
        never.revoke_token(ISSUER, "t1", until=4e9)
        await never.aclose()
        assert "not started" in never.health()

    run(use())


def test_flush_that_is_pending_at_the_close_is_told(valkey: Valkey, run: Run) -> None:
    """Nobody waits for a list that is closed, not even who waited for an exchange with a store that hangs."""

    async def use() -> None:
        one = shared(valkey.url)
        await one.start()
        await asyncio.to_thread(valkey.hang)
        early = asyncio.create_task(one.flush())
        await asyncio.sleep(0)
        await eventually(lambda: not one._waiting, "the exchange")
        late = asyncio.create_task(one.flush())
        await asyncio.sleep(0)
        await one.aclose()
        async with asyncio.timeout(10):
            results = await asyncio.gather(early, late, return_exceptions=True)
        assert [type(result) for result in results] == [RevocationNotSharedError] * 2
        await asyncio.to_thread(valkey.go_on)

    run(use())


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("unshared", [False, True])
def test_start_in_the_middle_of_a_close_comes_after_it(turns: int, unshared: bool, valkey: Valkey, run: Run) -> None:
    """At whatever turn of the loop: the list is at work then, and does not stay closed."""

    async def use() -> None:
        one, two = shared(valkey.url), shared(valkey.url)
        async with started(two):
            await one.start()
            if unshared:
                one.revoke_token(ISSUER, "t1", until=4e9)
            closing = asyncio.create_task(one.aclose())
            for _ in range(turns):
                await asyncio.sleep(0)
            await one.start()
            await closing
            await eventually(lambda: one.available, "a list at work")
            two.revoke_token(ISSUER, "t2", until=4e9)
            await eventually(lambda: len(one) == (2 if unshared else 1), "what others revoke")
            one.revoke_token(ISSUER, "t3", until=4e9)
            await one.flush()
            await one.aclose()

    run(use())


def test_cancelled_flush_stops_nobody_else(valkey: Valkey, run: Run) -> None:
    """Its caller went away; what was revoked is shared all the same."""

    async def use() -> None:
        one = shared(valkey.url)
        async with started(one):
            given_up = asyncio.create_task(one.flush())
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            one.revoke_token(ISSUER, "t1", until=4e9)
            async with asyncio.timeout(30):
                await one.flush()

    run(use())


@pytest.mark.parametrize("choice", ["refuse", "accept"])
def test_failure_and_recovery_are_reported_once(
    valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    """Neither the start nor each look at the store; cached verifications are checked again where that decides."""
    events: list[Event] = []
    seen: list[int] = []

    async def looks(one: SharedRevocations) -> None:
        for _ in range(3):
            with suppress(RevocationNotSharedError):
                await one.flush()

    async def use() -> None:
        one = shared(valkey.url, on_failure=choice)
        observe = events.append
        verifiers = [Observers([observe]), Observers([observe])]
        for observers in verifiers:
            one.observe(observers)
        async with started(one):
            await looks(one)
            assert events == []
            seen.append(one._revision)
            monkeypatch.setenv("AIOCACHE_DISABLE", "1")
            await eventually(lambda: not one.store_responds, "the failure")
            await looks(one)
            seen.append(one._revision)
            monkeypatch.delenv("AIOCACHE_DISABLE")
            await eventually(lambda: one.store_responds, "the recovery")
            await looks(one)
            seen.append(one._revision)
            assert "store: ok" in one.health()

    run(use())
    assert [type(event) for event in events] == [RevocationStoreDown, RevocationStoreUp]
    assert seen[1] - seen[0] == seen[2] - seen[1] == (1 if choice == "refuse" else 0)


def test_logs_that_are_begun_all_the_time_are_a_failure(
    valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that an entry is shared which stands in a log that nobody reads."""

    async def replaced(log: RevocationLog, entries: list[Any]) -> bool:
        return False

    async def use() -> None:
        one = shared(valkey.url)
        async with started(one):
            monkeypatch.setattr(RevocationLog, "append", replaced)
            one.revoke_token(ISSUER, "t1", until=4e9)
            with pytest.raises(RevocationNotSharedError):
                await one.flush()
            assert "new logs are begun all the time" in one.health()
            monkeypatch.undo()
            await one.flush()

    run(use())


def test_new_log_has_no_entries_of_dead_tokens(valkey: Valkey, run: Run) -> None:
    """Else the log would hold all that was ever revoked."""
    clock = Ahead()

    async def use() -> None:
        one = shared(valkey.url, clock=clock)
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=clock.now() + 60)
            one.revoke_token(ISSUER, "t2", until=4e9)
            await one.flush()
            clock.ahead = 8 * 86_400.0
            await eventually(lambda: len(one) == 1, "the new log")
            await one.flush()
            late = shared(valkey.url, clock=clock)
            async with started(late):
                assert [entry.name for entry in late.entries()] == ["t2"]

    run(use())
