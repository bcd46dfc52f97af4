"""Event loops that end, or that nobody runs any more: the store goes on where it is asked next, and nobody hangs."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bearward import TrustedIssuer, Verifier
from bearward.errors import AuthError
from bearward.jwks import HTTPClient, JWKSOptions, Loaded, StartMode, Validators
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer
from tests.conftest import LOOPS, Run, _loop_factory
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import DEADLINE, SECRET, eventually, policy

# A loop that is closed without a word leaves its tasks behind: that is what these tests are about.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
    pytest.mark.thorough,
]


@pytest.fixture(params=LOOPS)
def another(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that a test may leave as it likes; what hangs on it goes with it, and complains."""
    loop = _loop_factory(request.param)()
    yield loop
    if not loop.is_closed():
        loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def serving(issuer: LocalIssuer, **options: Any) -> Verifier:
    """A verifier that looks around often, and whose start waits."""
    keys = JWKSOptions(**{"poll_interval": 0.05, "start_wait": 30, **options})
    return Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=keys))


@pytest.mark.parametrize("closed", [True, False])
def test_next_event_loop_takes_over(
    closed: bool, run: Run, issuer: LocalIssuer, another: asyncio.AbstractEventLoop
) -> None:
    """From one that was closed without `aclose`, and from one that is only no longer run; refreshing goes on too."""
    verifier = serving(issuer)
    another.run_until_complete(verifier.start())
    if closed:
        another.close()
    kid = issuer.rotate().kid

    async def scenario() -> None:
        assert (await verifier.verify(issuer.mint(kid=kid))).issuer == issuer.url
        await verifier.aclose()
        assert len(asyncio.all_tasks()) == 1

    run(scenario())


@pytest.mark.parametrize("closed", [True, False])
def test_closing_on_another_loop_is_allowed(
    closed: bool, run: Run, issuer: LocalIssuer, another: asyncio.AbstractEventLoop
) -> None:
    """What cannot be awaited any more is let go."""
    verifier = serving(issuer)
    another.run_until_complete(verifier.start())
    if closed:
        another.close()
    run(verifier.aclose())


def test_background_work_moves_to_the_new_loop(
    run: Run, valkey: Valkey, issuer: LocalIssuer, another: asyncio.AbstractEventLoop
) -> None:
    """A rotation that another process saw is noticed on the new loop, without a miss and without another start."""
    trusted = policy(issuer, poll_interval=0.05, burst=5)
    store, other = JWKSStore(cache=valkey.url, cache_secret=SECRET), JWKSStore(cache=valkey.url, cache_secret=SECRET)
    another.run_until_complete(store.start([trusted]))
    keys = store.keys_of(trusted)
    another.run_until_complete(keys.get())
    another.close()

    async def scenario() -> None:
        await keys.refresh_after_miss("nobody's", 1)
        held = keys.current()
        kid = issuer.rotate().kid
        await other.start([trusted])
        await other.keys_of(trusted).get()
        await other.keys_of(trusted).refresh_after_miss(kid, 1)
        await eventually(lambda: keys.current() is not held)
        await store.aclose()
        await other.aclose()

    run(scenario())


def running(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Run `loop` in a thread; answers what ends it, and waits for that."""
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)

    return end


def test_waiters_of_a_loop_that_ends_are_served_by_another(
    run: Run, issuer: LocalIssuer, another: asyncio.AbstractEventLoop
) -> None:
    """A caller on another loop does not wait for an answer that can no longer come."""
    store, trusted = JWKSStore(), policy(issuer)
    keys = store.keys_of(trusted)
    end = running(another)
    asyncio.run_coroutine_threadsafe(store.start([trusted]), another).result(DEADLINE)
    issuer.hold()

    async def scenario() -> None:
        waiting = asyncio.create_task(keys.get())
        await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
        await asyncio.to_thread(end)
        another.close()
        issuer.release()
        async with asyncio.timeout(DEADLINE):
            assert (await waiting).jwk_set.keys
        await store.aclose()

    run(scenario())


def test_caller_on_another_loop_may_cancel(run: Run, issuer: LocalIssuer, another: asyncio.AbstractEventLoop) -> None:
    """Its cancellation ends neither the fetch nor the loop that makes it."""
    store, trusted = JWKSStore(), policy(issuer)
    keys = store.keys_of(trusted)
    end = running(another)
    asyncio.run_coroutine_threadsafe(store.start([trusted]), another).result(DEADLINE)
    issuer.hold()

    async def scenario() -> None:
        waiting = asyncio.create_task(keys.get())
        await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        issuer.release()
        assert (await keys.get()).jwk_set.keys
        await store.aclose()  # from here, on the store's own loop

    run(scenario())
    assert issuer.requests() == 1
    end()


def test_failed_required_start_cleans_up(run: Run, issuer: LocalIssuer) -> None:
    """`async with` that raises on the way in has no way out: it must clean up by itself."""
    issuer.down()

    async def scenario() -> None:
        with pytest.raises(AuthError):
            async with serving(issuer, start="required"):
                pass
        assert len(asyncio.all_tasks()) == 1

    run(scenario())


class Gated:
    """A source that waits for the gate of its loop."""

    local = True

    def __init__(self, document: bytes) -> None:
        self.document = document
        self.gates: dict[asyncio.AbstractEventLoop, asyncio.Event] = {}

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Wait, and return the document."""
        await self.gates.setdefault(asyncio.get_running_loop(), asyncio.Event()).wait()
        return Loaded(self.document)


def test_refresh_of_a_loop_that_was_left_behind_changes_nothing(
    issuer: LocalIssuer, another: asyncio.AbstractEventLoop
) -> None:
    """It may end later, if somebody runs that loop again; the keys belong to the next loop by then."""
    source = Gated(json.dumps(issuer.keys.jwks()).encode())
    options = JWKSOptions(sources=(source,), start=StartMode.LAZY)
    trusted = TrustedIssuer(issuer.url, audience="a", jwks_options=options)
    store = JWKSStore()
    keys = store.keys_of(trusted)

    async def started(number: int) -> asyncio.Task[Any]:
        await store.start()
        waiting = asyncio.get_running_loop().create_task(keys.get())
        await eventually(lambda: len(source.gates) == number)
        return waiting

    async def ended(task: asyncio.Task[Any]) -> None:
        source.gates[asyncio.get_running_loop()].set()
        await asyncio.wait([task], timeout=DEADLINE)
        await asyncio.sleep(0)

    first = another.run_until_complete(started(1))
    with asyncio.Runner() as runner:
        second = runner.run(started(2))
        another.run_until_complete(ended(first))
        assert isinstance(first.exception(), AuthError)
        assert keys.current() is None
        assert keys.entry is None
        runner.run(ended(second))
        assert keys.current() is second.result()
        runner.run(store.aclose())


def test_next_loop_refreshes_without_traffic(run: Run, issuer: LocalIssuer, another: asyncio.AbstractEventLoop) -> None:
    """The timers of configured issuers are set on it as soon as the store is started there."""
    store = JWKSStore()
    trusted = policy(issuer, start="eager", start_wait=30, max_age=1.0, min_age=0, refresh_fraction=0.9)
    another.run_until_complete(store.start([trusted]))
    before = issuer.requests()

    async def scenario() -> None:
        await store.start()
        await eventually(lambda: issuer.requests() > before)
        await store.aclose()

    run(scenario())
