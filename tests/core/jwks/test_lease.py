"""The lease under which a fleet fetches: authentic, or not waited for; over by the clock of whoever waits."""

from __future__ import annotations

from typing import Any

import pytest

from bearward.cache.client import SharedCache
from bearward.cache.memory import _ProcessCache
from bearward.cache.sealed import seal
from bearward.jwks.lease import FetchLease, LeaseState
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import SECRET

KEY = "bearward:x:lease"


def shared() -> SharedCache:
    """A cache within the process."""
    backend = _ProcessCache()
    return SharedCache(lambda: backend, FakeClock(), timeout=10.0, local=True)


def leases(cache: SharedCache, clock: FakeClock, secret: bytes | None = SECRET) -> tuple[FetchLease, FetchLease]:
    """Two processes."""
    return FetchLease(cache, KEY, clock=clock, secret=secret), FetchLease(cache, KEY, clock=clock, secret=secret)


async def read(cache: SharedCache) -> str | None:
    """What is stored at the moment."""
    return (await cache.get([KEY]))[0]


@pytest.mark.parametrize("secret", [SECRET, None], ids=["with a secret", "without"])
def test_lease_excludes_others_until_released(secret: bytes | None, run: Run) -> None:
    """The others wait for it."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, yours = leases(cache, clock, secret)
        assert await mine.acquire()
        assert not await yours.acquire()
        assert await yours.state(await read(cache)) is LeaseState.HELD
        await yours.release()
        assert await read(cache) is not None
        await mine.release()
        assert await yours.state(await read(cache)) is LeaseState.FREE
        assert await yours.acquire()

    run(scenario())


def test_cache_failure_is_distinguished_from_our_own(run: Run) -> None:
    """Whoever failed itself does not wait for anybody."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, yours = leases(cache, clock)
        await mine.note_failure(2.0)
        assert await mine.state(await read(cache)) is LeaseState.FAILED_HERE
        assert await yours.state(await read(cache)) is LeaseState.FAILED

    run(scenario())


def test_lease_ends_by_the_clock_of_whoever_waits(run: Run) -> None:
    """Whatever its time to live in the cache is: after three seconds it is removed, and leases are ignored for a minute."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, yours = leases(cache, clock)
        assert await mine.acquire()
        text = await read(cache)
        assert await yours.state(text) is LeaseState.HELD
        clock.forward(2.9)
        assert await yours.state(text) is LeaseState.HELD
        clock.forward(0.1)
        assert await yours.state(text) is LeaseState.INVALID
        assert await read(cache) is None
        clock.forward(59.9)
        assert yours.ignored
        clock.forward(0.1)
        assert not yours.ignored

    run(scenario())


def test_each_lease_has_its_own_three_seconds(run: Run) -> None:
    """One that follows another at once is not blamed for it."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, yours = leases(cache, clock)
        for _ in range(3):
            assert await mine.acquire()
            assert await yours.state(await read(cache)) is LeaseState.HELD
            clock.forward(2.0)
            await mine.release()
        assert not yours.ignored

    run(scenario())


NOW = FakeClock().now()
GOOD = f"held x 1 {NOW!r}"


def sealed(plain: str, purpose: str = "jwks lease 1", place: str = KEY, secret: bytes = SECRET) -> str:
    """A lease as a process of the fleet writes it, but for what a case changes."""
    return seal(plain, purpose=purpose, place=place, secret=secret)


FORGED: dict[str, str] = {
    "plain text": "stolen",
    "unsealed": GOOD,
    "another fleet's": sealed(GOOD, secret=b"another" * 4),
    "for another place": sealed(GOOD, place="elsewhere"),
    "a document": sealed(GOOD, purpose="jwks document 3"),
    "of another kind": sealed(f"owned x 1 {NOW!r}"),
    "with a part too many": sealed(f"held x 1 2 {NOW!r}"),
    "written at no time": sealed("held x 1 today"),
    "an old one": sealed(f"held x 1 {NOW - 33.5!r}"),
    "one of the future": sealed(f"held x 1 {NOW + 33.5!r}"),
    "written at a time that is no number": sealed("held x 1 nan"),
    "empty": "",
}
"""Each is wrong in one way alone."""


@pytest.mark.parametrize("what", FORGED)
def test_forged_lease_is_not_waited_for(what: str, run: Run) -> None:
    """Whoever can write the cache delays no refresh by it."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, _ = leases(cache, clock)
        await cache.put(KEY, FORGED[what], 3600)
        assert not await mine.acquire()
        assert await mine.state(await read(cache)) is LeaseState.INVALID
        assert mine.ignored
        assert await read(cache) is None

    run(scenario())


@pytest.mark.parametrize("ahead", [-33.0, -30.0, 0.0, 30.0, 33.0])
def test_lease_of_a_process_whose_clock_is_off_is_waited_for(ahead: float, run: Run) -> None:
    """By up to half a minute, beside the three seconds that a lease lasts."""

    async def scenario() -> None:
        mine, _ = leases(shared(), FakeClock())
        assert await mine.state(sealed(f"held x 1 {NOW + ahead!r}")) is LeaseState.HELD

    run(scenario())


def test_holder_that_asks_again_can_still_release_its_lease(run: Run) -> None:
    """What is removed is the lease that was acquired, not one that was refused since."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, yours = leases(cache, clock)
        assert await mine.acquire()
        assert not await mine.acquire()
        await mine.release()
        assert await yours.acquire()

    run(scenario())


def test_forged_lease_is_logged_once(run: Run, caplog: Any) -> None:
    """Not at every poll."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, _ = leases(cache, clock)
        for _ in range(10):
            await mine.state("stolen")

    run(scenario())
    assert len(caplog.records) == 1
