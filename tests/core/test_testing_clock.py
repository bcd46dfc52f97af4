"""`MovableClock`: moving it is enough to end what lives by it, in whatever thread and on whatever loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from bearward import AuthError, Clock, JWKSOptions, Refusal, Verifier
from bearward.jwks import StartMode
from bearward.testing import LocalIssuer, MovableClock
from tests.conftest import Run

PATIENCE = 30.0
SOON = 10.0
"""Before a watch looks by itself, which is after a quarter of a minute at the earliest."""


def test_movable_clock_stands_still_until_moved() -> None:
    """`advance` moves both hands, `set` the wall clock alone, and time does not run backwards."""
    clock: Clock = MovableClock(1000.0)
    assert isinstance(clock, MovableClock)
    assert (clock.now(), clock.monotonic()) == (1000.0, 0.0)
    clock.advance(60)
    clock.set(500)
    assert (clock.now(), clock.monotonic()) == (500.0, 60.0)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_token_expires_at_the_second(run: Run) -> None:
    """Valid until the moment before `exp`, cached or not, and refused at `exp`: no waiting, no tolerance."""

    async def use() -> Refusal:
        clock = MovableClock()
        with LocalIssuer(algorithms=["ES256"], clock=clock) as issuer:
            async with issuer.verifier() as verifier:
                token = issuer.mint(expires_in=60)
                await verifier.verify(token)
                clock.advance(59)
                await verifier.verify(token)
                clock.advance(1)
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(token)
                return refused.value.refusal

    assert run(use()) is Refusal.TOKEN_EXPIRED


@pytest.mark.parametrize("move", ["here", "in another thread"])
def test_moving_the_clock_ends_a_watch(run: Run, move: str) -> None:
    """A live call ends as soon as the clock is moved beyond its token, not at its next look half a minute later."""

    async def use() -> Refusal:
        clock = MovableClock()
        with LocalIssuer(algorithms=["ES256"], clock=clock) as issuer:
            async with issuer.verifier() as verifier:
                ended: asyncio.Future[AuthError] = asyncio.get_running_loop().create_future()
                verifier.watch(await verifier.verify(issuer.mint(expires_in=3600)), ended.set_result)
                await asyncio.sleep(0)
                if move == "here":
                    clock.advance(3600)
                else:
                    threading.Thread(target=clock.advance, args=(3600,)).start()
                return (await asyncio.wait_for(ended, SOON)).refusal

    assert run(use()) is Refusal.TOKEN_EXPIRED


def test_moving_the_clock_refreshes_keys_that_are_due(run: Run) -> None:
    """A refresh that was an hour away begins when the hour has passed by the clock."""

    async def use() -> list[int]:
        clock = MovableClock()
        with LocalIssuer(algorithms=["ES256"], clock=clock) as issuer:
            issuer.jwks_headers["Cache-Control"] = "max-age=3600"
            policy = issuer.trusted(jwks_options=JWKSOptions(start=StartMode.REQUIRED))
            async with Verifier(policy, clock=clock):
                seen = [issuer.requests("/jwks")]
                clock.advance(3600)
                await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2, timeout=PATIENCE)
                return [*seen, issuer.requests("/jwks")]

    assert run(use()) == [1, 2]


def test_clock_keeps_no_verifier_alive() -> None:
    """What listens to a clock is freed when its owner lets go of it."""
    clock = MovableClock()
    with LocalIssuer(algorithms=["ES256"], clock=clock) as issuer:
        verifier = issuer.verifier()
    gone = weakref.ref(verifier)
    del verifier
    while gone() is not None:  # another thread may be collecting just now; a leak is found by the test's time limit
        gc.collect()
    clock.advance(1)
