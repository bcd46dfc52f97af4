"""The lease under which a fleet fetches: authentic, or not waited for; over by the clock of whoever waits."""

from __future__ import annotations

from collections.abc import Callable
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


FORGED: list[tuple[str, Callable[[], str]]] = [
    ("plain text", lambda: "stolen"),
    ("unsealed", lambda: "held somebody 1 1700000000.0"),
    ("another fleet's", lambda: seal("held x 1 1.0", purpose="jwks lease 1", place=KEY, secret=b"another" * 4)),
    ("for another place", lambda: seal("held x 1 1.0", purpose="jwks lease 1", place="elsewhere", secret=SECRET)),
    ("a document", lambda: seal("held x 1 1.0", purpose="jwks document 3", place=KEY, secret=SECRET)),
    ("of another kind", lambda: seal("owned x 1 1.0", purpose="jwks lease 1", place=KEY, secret=SECRET)),
    ("an old one", lambda: seal("held x 1 1.0", purpose="jwks lease 1", place=KEY, secret=SECRET)),
    ("empty", lambda: ""),
]


@pytest.mark.parametrize(("what", "text"), FORGED, ids=[case[0] for case in FORGED])
def test_forged_lease_is_not_waited_for(what: str, text: Callable[[], str], run: Run) -> None:
    """Whoever can write the cache delays no refresh by it."""

    async def scenario() -> None:
        cache, clock = shared(), FakeClock()
        mine, _ = leases(cache, clock)
        await cache.put(KEY, text(), 3600)
        assert not await mine.acquire()
        assert await mine.state(await read(cache)) is LeaseState.INVALID
        assert mine.ignored
        assert await read(cache) is None

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
