"""A backend of one's own: what it is asked, for how long it is waited for, and when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from bearward.cache.client import CacheError, SharedCache
from bearward.clock import Clock
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually
from tests.core.skipping_loop import SkippingLoop

LIMIT = 1.0
"""Seconds."""
T = TypeVar("T")


class Backend:
    """What aiocache asks of one. A key says how it is answered: `slow` when `gate` is open, `bad` not at all."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.closed = 0

    async def multi_get(self, keys: list[str], timeout: float) -> Any:  # noqa: ASYNC109  (aiocache's signature)
        """One text a key."""
        self.asked += keys
        if "slow" in keys:
            await self.gate.wait()
        if "bad" in keys or "slow and bad" in keys:
            raise OSError
        if "odd" in keys:
            raise ValueError
        return ["text" for _ in keys]

    async def close(self) -> None:
        """Once is enough."""
        self.closed += 1


def cache_of(
    made: list[Any], make: Callable[[], Any] = Backend, clock: Clock | None = None, **options: Any
) -> SharedCache:
    """A cache that notes the backends which it makes."""

    def noting() -> Any:
        made.append(make())
        return made[-1]

    return SharedCache(noting, clock or FakeClock(), **{"timeout": 30.0, "pause": 0.0, **options})


async def failed(cache: SharedCache, *keys: str) -> str:
    """What the state is once `keys` could not be had."""
    with pytest.raises(CacheError):
        await cache.get(keys)
    return cache.state


def test_failed_cache_is_left_alone_for_a_moment(run: Run) -> None:
    """Until the pause is over, and no longer; or until it is closed, after which all begins anew."""

    async def scenario() -> None:
        clock, made = FakeClock(), list[Any]()
        cache = cache_of(made, clock=clock, pause=2.0)
        for seconds, tries in ((0.0, 1), (1.9, 1), (0.1, 2), (0.0, 2)):
            clock.forward(seconds)
            assert await failed(cache, "bad") == "OSError"
            assert sum(len(backend.asked) for backend in made) == tries
        await cache.aclose()
        assert await cache.get(["good"]) == ["text"]

    run(scenario())


def test_backend_is_closed_by_its_last_user(run: Run) -> None:
    """One operation fails: others go on with a new backend, and what is still under way with the old one ends first."""

    async def scenario() -> None:
        made: list[Any] = []
        cache = cache_of(made)
        slow = asyncio.create_task(cache.get(["slow"]))
        await eventually(lambda: bool(made and made[0].asked))
        await failed(cache, "bad")
        assert await cache.get(["good"]) == ["text"]
        assert (len(made), made[0].closed) == (2, 0)
        made[0].gate.set()
        assert await slow == ["text"]
        assert made[0].closed == 1
        assert await cache.get(["good"]) == ["text"]
        assert len(made) == 2
        await cache.aclose()
        await cache.aclose()
        assert [backend.closed for backend in made] == [1, 1]

    run(scenario())


def test_closing_waits_for_what_is_under_way(run: Run) -> None:
    """Each operation ends within its time limit; half of one is never left in a connection."""

    async def scenario() -> None:
        made: list[Any] = []
        cache = cache_of(made)
        slow = asyncio.create_task(cache.get(["slow"]))
        await eventually(lambda: bool(made and made[0].asked))
        closing = asyncio.create_task(cache.aclose())
        await asyncio.sleep(0.02)
        assert not closing.done()
        made[0].gate.set()
        await closing
        assert await slow == ["text"]
        assert made[0].closed == 1

    run(scenario())


@pytest.mark.parametrize("keys", [["slow"], ["slow", "slow and bad"]], ids=["succeeds", "fails"])
def test_operation_ends_whatever_becomes_of_its_caller(keys: list[str], run: Run) -> None:
    """And how it ended is no error of the loop that nobody took care of."""
    unhandled: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        made: list[Any] = []
        cache = cache_of(made)
        caller = asyncio.create_task(cache.get(keys))
        await eventually(lambda: bool(made and made[0].asked))
        caller.cancel()
        await asyncio.wait((caller,))
        made[0].gate.set()
        await cache.aclose()
        assert cache.state == ("ok" if keys == ["slow"] else "OSError")
        gc.collect()
        await asyncio.sleep(0)

    run(scenario())
    assert unhandled == []


def test_each_loop_has_a_backend_of_its_own(run: Run) -> None:
    """One of a loop that ended is neither used nor closed: its connections went with the loop."""
    made: list[Any] = []
    cache = cache_of(made)
    for number in (1, 2):
        assert run(cache.get(["good"])) == ["text"]
        assert len(made) == number
    run(cache.aclose())
    assert [backend.closed for backend in made] == [0, 0]


def test_failure_and_recovery_are_one_line_each(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """However many operations meet them; another cause is another line, which names the cache too."""

    async def scenario() -> None:
        cache = cache_of([], purpose="revocations")
        for keys in (["good"], ["bad"], ["bad"], ["odd"], ["good"], ["good"]):
            if keys != ["good"]:
                await failed(cache, *keys)
            else:
                await cache.get(keys)

    with caplog.at_level(logging.INFO, logger="bearward.cache"):
        run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        "the shared cache of revocations is failing: OSError",
        "the shared cache of revocations is failing: ValueError",
        "the shared cache of revocations works again",
    ]


@pytest.mark.parametrize("values", [None, [], ["a"], ["a", "b", "c"], "ab", {"a": 1, "b": 2}], ids=repr)
def test_backend_must_return_one_value_for_each_key(values: object, run: Run) -> None:
    """In a list or a tuple: anything else comes from a backend that is switched off, or broken."""

    class Odd(Backend):
        async def multi_get(self, keys: list[str], timeout: float) -> Any:  # noqa: ASYNC109  (aiocache's signature)
            return values if keys == ["a", "b"] else ("text",)

    async def scenario() -> None:
        cache = cache_of([], Odd)
        assert await cache.get(["good"]) == ["text"]
        assert await failed(cache, "a", "b") == "TypeError"

    run(scenario())


@pytest.mark.parametrize(
    ("value", "text"),
    [("four", "four"), (b"four", "four"), ("fives", ""), (b"fives", ""), (b"\xff", None), (4, None), (["text"], None)],
    ids=repr,
)
def test_value_is_a_text_within_its_bound(value: object, text: str | None, run: Run) -> None:
    """What is no text counts as nothing, and of one that is too long nothing is used."""

    class Holding(Backend):
        async def multi_get(self, keys: list[str], timeout: float) -> Any:  # noqa: ASYNC109  (aiocache's signature)
            return [value for _ in keys]

    async def scenario() -> None:
        assert await cache_of([], Holding).get(["a"], max_bytes=4) == [text]

    run(scenario())


def test_operation_that_has_ended_is_forgotten(run: Run) -> None:
    """What closing waits for does not grow with every operation."""

    async def scenario() -> None:
        cache = cache_of([])
        for keys in ("good", "bad") * 3:
            with contextlib.suppress(CacheError):
                await cache.get([keys])
            await asyncio.sleep(0)
            assert not cache._running

    run(scenario())


@pytest.mark.parametrize(("answer", "expected"), [(True, True), (False, False), (ValueError, False)])
def test_backend_says_in_two_ways_that_a_key_exists(answer: Any, expected: bool, run: Run) -> None:
    """Aiocache's own raise `ValueError`; others return False."""

    class Adding(Backend):
        async def add(self, key: str, value: str, ttl: int, timeout: float) -> bool:  # noqa: ASYNC109
            if isinstance(answer, bool):
                return answer
            raise answer

    async def scenario() -> None:
        assert await cache_of([], Adding).acquire_lease("lease", "me", 60) is expected

    run(scenario())


def test_client_of_a_backend_is_closed_in_its_place(run: Run) -> None:
    """Aiocache would call a method of the Redis client that is deprecated."""

    class WithClient(Backend):
        def __init__(self) -> None:
            super().__init__()
            self.client = self
            self.client_closed = 0

        async def aclose(self) -> None:
            self.client_closed += 1

    async def scenario() -> None:
        made: list[Any] = []
        cache = cache_of(made, WithClient)
        await cache.get(["good"])
        await cache.aclose()
        assert (made[0].closed, made[0].client_closed) == (0, 1)

    run(scenario())


def skipping(use: Callable[[SkippingLoop], Awaitable[T]]) -> T:
    """Use a cache on a loop that does not wait."""
    loop = SkippingLoop()

    async def used() -> T:
        return await use(loop)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(used())


class Hanging(Backend):
    """One that does not respond for `seconds`, and may not want to be cancelled either."""

    def __init__(self, seconds: float = 3600.0, *, stubborn: bool = False) -> None:
        super().__init__()
        self._seconds = seconds
        self._stubborn = stubborn
        self.cancelled = 0

    async def multi_get(self, keys: list[str], timeout: float) -> Any:  # noqa: ASYNC109  (aiocache's signature)
        """Late."""
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            if not self._stubborn:
                raise
            await asyncio.sleep(self._seconds)
            raise OSError from None
        return ["text" for _ in keys]


@pytest.mark.parametrize(
    ("seconds", "stubborn", "local", "least", "most"),
    [
        (0.9, False, False, 0.9, 0.9),
        (3600.0, False, False, 1.0, 1.0),
        (3600.0, True, False, 2.0, 2.0),
        (3600.0, False, True, 3600.0, 3600.0),
    ],
    ids=["responds in time", "hangs", "hangs and swallows the cancellation", "within the process"],
)
def test_operation_has_a_time_limit(seconds: float, stubborn: bool, local: bool, least: float, most: float) -> None:
    """Within the process only the process itself is slow, so there is none."""
    unhandled: list[dict[str, Any]] = []

    async def use(loop: SkippingLoop) -> float:
        loop.set_exception_handler(lambda _, context: unhandled.append(context))
        made: list[Any] = []
        cache = cache_of(made, lambda: Hanging(seconds, stubborn=stubborn), loop, timeout=LIMIT, local=local)
        started = loop.passed
        if seconds < LIMIT or local:
            assert await cache.get(["a"]) == ["text"]
        else:
            assert await failed(cache, "a") == "timed out"
        took = loop.passed - started
        assert made[0].cancelled == (seconds > LIMIT and not local)
        await asyncio.sleep(2 * seconds)
        gc.collect()
        await asyncio.sleep(0)
        return took

    assert least - 0.01 <= skipping(use) <= most + 0.01
    assert unhandled == []


def test_time_in_which_the_loop_was_busy_is_not_the_cache_s() -> None:
    """A response that waits in the socket while other callbacks run is read, though the limit has long passed."""

    async def use(loop: SkippingLoop) -> list[str | None]:
        made: list[Any] = []
        cache = cache_of(made, clock=loop, timeout=LIMIT)
        asking = asyncio.create_task(cache.get(["slow"]))
        while not (made and made[0].asked):  # noqa: ASYNC110  (what is waited for is a thread)
            await asyncio.sleep(0)
        for _ in range(10):
            loop.passed += LIMIT  # a callback that takes so long
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        made[0].gate.set()
        return await asking

    assert skipping(use) == ["text"]


def test_closing_a_backend_that_hangs_is_bounded() -> None:
    """Nor does an error while it closes concern anyone."""

    class Stuck(Backend):
        async def close(self) -> None:
            await asyncio.sleep(3600.0)

    class Broken(Backend):
        async def close(self) -> None:
            raise OSError

    async def use(loop: SkippingLoop) -> None:
        for make in (Stuck, Broken):
            cache = cache_of([], make, loop, timeout=LIMIT)
            await cache.get(["good"])
            started = loop.passed
            await cache.aclose()
            assert loop.passed - started <= LIMIT + 0.01

    skipping(use)
