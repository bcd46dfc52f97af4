"""One issuer's keys against a real issuer, on a clock that stands still: who fetches, who waits, who is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from bearward.errors import AuthError, Refusal
from bearward.jwks.freshness import Freshness
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.store import Miss
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, started


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


async def refused(keys: IssuerKeys) -> AuthError:
    """The refusal that `obtain` answers with."""
    with pytest.raises(AuthError) as info:
        await keys.obtain()
    assert info.value.refusal is Refusal.KEYS_UNAVAILABLE
    return info.value


def test_a_cold_herd_makes_one_fetch(run: Run, issuer: LocalIssuer) -> None:
    """A thousand callers that find nothing held wait for the same flight."""

    async def herd() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await asyncio.gather(*(keys.obtain() for _ in range(1000)))
            assert len({id(one) for one in held}) == 1

    run(herd())
    assert issuer.requests() == 1


def test_a_cancelled_caller_does_not_end_the_flight(run: Run, issuer: LocalIssuer) -> None:
    """The one who started it may go away; the others get their keys."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            issuer.hold()
            first = asyncio.create_task(keys.obtain())
            others = [asyncio.create_task(keys.obtain()) for _ in range(10)]
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
            first.cancel()
            others[3].cancel()
            await asyncio.wait([first, others[3]])
            issuer.release()
            results = await asyncio.gather(*others, return_exceptions=True)
            assert sum(isinstance(one, asyncio.CancelledError) for one in results) == 1
            assert keys.current() is not None

    run(scenario())
    assert issuer.requests() == 1


def test_misses_together_cost_one_refresh(run: Run, issuer: LocalIssuer) -> None:
    """A hundred callers that miss in the same set cause one refresh, then find the key that was rotated in."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await keys.obtain()
            kid = issuer.rotate().kid
            again = await asyncio.gather(*(keys.refresh_after_miss(kid, held.generation) for _ in range(100)))
            assert all(one.jwk_set.holds(kid) for one in again)
            assert keys.miss(kid, held.generation) is Miss.REREAD
            late = await keys.refresh_after_miss(kid, held.generation)
            assert late is again[0]

    run(scenario())
    assert issuer.requests() == 2


def test_a_flood_of_unknown_kids_costs_a_burst_and_then_one_fetch_per_cooldown(run: Run, issuer: LocalIssuer) -> None:
    """However many arrive: two at once, then one for each cooldown; all are answered, none waits for the brake."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            held = await keys.obtain()
            clock.forward(60)  # the bucket is full again
            for step in range(30 * 8 + 1):  # 30 seconds
                for number in range(20):
                    kid = f"random {step} {number}"
                    if keys.miss(kid, held.generation) is Miss.FETCH:
                        assert await keys.refresh_after_miss(kid, held.generation) is held
                clock.forward(0.125)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
    assert issuer.requests() - 1 == 8


def test_a_known_unknown_is_refused_at_once_until_the_set_changes(run: Run, issuer: LocalIssuer) -> None:
    """A kid that a refresh did not bring needs no second refresh, though the brake would let it through."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, unknown_kid_ttl=100), clock) as (_, keys):
            held = await keys.obtain()
            await keys.refresh_after_miss("nobody's", held.generation)
            clock.forward(50)
            assert keys.miss("nobody's", held.generation) is Miss.UNKNOWN
            assert keys.miss("another", held.generation) is Miss.FETCH
            kid = issuer.rotate().kid
            changed = await keys.refresh_after_miss(kid, held.generation)
            assert changed.generation == held.generation + 1
            clock.forward(10)
            assert keys.miss("nobody's", changed.generation) is Miss.FETCH

    run(scenario())


def test_an_unchanged_set_keeps_its_identity(run: Run, issuer: LocalIssuer) -> None:
    """What was verified with a set stays cached over refreshes that bring the same keys, with or without a 304."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.obtain()
            for conditional in (True, False):
                issuer.conditional = conditional
                clock.forward(10)
                assert await keys.refresh_after_miss(f"kid {conditional}", held.generation) is held
            assert keys.health().attempts == 3

    run(scenario())


def test_refresh_ahead_happens_in_the_background(run: Run, issuer: LocalIssuer) -> None:
    """Past half of the lifetime the answer is still at once, and a refresh begins, once, however many ask."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            held = await keys.obtain()
            clock.forward(299)
            assert keys.current() is held
            assert keys.health().state is Freshness.FRESH
            clock.forward(160)
            issuer.hold()
            assert all(keys.current() is held for _ in range(1000))
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            assert keys.current() is held
            issuer.release()
            await eventually(lambda: keys.health().state is Freshness.FRESH)

    run(scenario())
    assert issuer.requests() == 2


def test_stale_keys_serve_while_the_issuer_is_down(run: Run, issuer: LocalIssuer) -> None:
    """Past their freshness, the keys are used as long as `stale_if_error` allows and not a moment longer."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, stale_if_error=3600), clock) as (_, keys):
            held = await keys.obtain()
            issuer.down()
            clock.forward(601)
            assert keys.current() is None  # nobody knows yet that the issuer is down
            assert await keys.obtain() is held
            assert keys.health().state is Freshness.STALE
            assert keys.health().stale_left == pytest.approx(3599)
            clock.forward(3598)
            assert keys.current() is held
            clock.forward(1)
            assert keys.current() is None
            error = await refused(keys)
            assert error.retry_after is not None
            assert error.retry_after >= 1
            assert not keys.health().ready

    run(scenario())


def test_without_stale_if_error_old_keys_are_not_used(run: Run, issuer: LocalIssuer) -> None:
    """It can be turned off."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, stale_if_error=0), clock) as (_, keys):
            await keys.obtain()
            issuer.down()
            clock.forward(601)
            await refused(keys)

    run(scenario())


def test_an_outage_does_not_remove_the_brake(run: Run, issuer: LocalIssuer) -> None:
    """The cooldown counts attempts: an issuer that is down is not asked for every request."""
    clock = FakeClock()

    async def scenario() -> None:
        issuer.serve_jwks(b"out of order", status=500)
        async with started(policy(issuer), clock) as (_, keys):
            for _ in range(300):
                await refused(keys)
                clock.forward(0.1)
            issuer.serve_jwks(None)
            clock.forward(30)
            await keys.obtain()

    run(scenario())
    assert 2 <= issuer.requests() <= 9


def test_an_unknown_kid_with_usable_keys_is_never_our_fault(run: Run, issuer: LocalIssuer) -> None:
    """A forged token during an outage gets the held set to miss in, flips no readiness, and spoils nobody's answer."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.obtain()
            issuer.down()
            for number in range(50):
                assert await keys.refresh_after_miss(f"forged {number}", held.generation) is held
                assert keys.current() is held
                assert keys.health().ready
                clock.forward(1)

    run(scenario())


def test_a_flood_in_an_outage_never_costs_a_good_caller_its_answer(run: Run, issuer: LocalIssuer) -> None:
    """Whatever forged tokens do to the brake, at any moment: what is held is used to the end of the stale window."""
    clock = FakeClock()

    async def scenario() -> None:
        trusted = policy(issuer, max_age=20, min_age=0, stale_if_error=60, cooldown=5)
        async with started(trusted, clock) as (_, keys):
            held = await keys.obtain()
            issuer.down()
            for step in range(79 * 4):
                assert (keys.current() or await keys.obtain()) is held, f"after {step / 4} s"
                kid = f"forged {step}"
                if keys.miss(kid, held.generation) is Miss.FETCH:
                    await keys.refresh_after_miss(kid, held.generation)
                clock.forward(0.25)

    run(scenario())


def test_a_bad_set_never_replaces_a_good_one(run: Run, issuer: LocalIssuer) -> None:
    """Empty, unusable, no JSON: the old keys stay, and health says what is wrong."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.obtain()
            bad = [b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b"{", b"<html>", b'{"keys": {}}', b"[]"]
            for number, document in enumerate(bad):
                issuer.serve_jwks(document)
                clock.forward(60)
                assert await keys.refresh_after_miss(f"kid {number}", held.generation) is held
                assert keys.health().last_error == "document is no usable JWK Set"
            assert keys.health().failures == len(bad)

    run(scenario())


def test_odd_keys_are_counted_with_their_reasons(run: Run, issuer: LocalIssuer) -> None:
    """The good ones stay usable, and an operator sees what is wrong with the others."""
    document = issuer.keys.jwks()
    document["keys"] += [{"kty": "oct", "k": "AAAA"}, {"kty": "quantum"}, 5, {**document["keys"][0], "use": "enc"}]

    async def scenario() -> None:
        issuer.serve_jwks(document)
        async with started(policy(issuer)) as (_, keys):
            await keys.obtain()
            health = keys.health()
            assert health.keys == 1
            assert sum(health.set_aside.values()) == 4
            assert set(health.set_aside) == {"symmetric", "unknown_type", "not_a_key", "not_for_signatures"}

    run(scenario())


def test_the_waiting_room_is_bounded(run: Run, issuer: LocalIssuer) -> None:
    """Who comes when it is full is refused at once: a slow issuer cannot pile up callers."""

    async def scenario() -> None:
        async with started(policy(issuer, max_waiting=10)) as (_, keys):
            issuer.hold()
            waiting = [asyncio.create_task(keys.obtain()) for _ in range(10)]
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
            await refused(keys)
            assert keys.miss("any", 0) is Miss.UNKNOWN
            issuer.release()
            await asyncio.gather(*waiting)

    run(scenario())


def test_current_and_miss_may_be_called_on_any_thread(run: Run, issuer: LocalIssuer) -> None:
    """Threads that look while the loop refreshes see the old set or the new one, never anything else."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.obtain()
            stop, seen, failures = threading.Event(), set(), []

            def look() -> None:
                try:
                    while not stop.is_set():
                        found = keys.current()
                        assert found is not None
                        seen.add(found.generation)
                        keys.miss("kid", found.generation)
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


def test_a_thread_that_finds_a_refresh_due_has_it_made_on_the_loop(run: Run, issuer: LocalIssuer) -> None:
    """The thread gets its answer at once; the loop fetches."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            await keys.obtain()
            clock.forward(500)
            assert await asyncio.to_thread(keys.current) is not None
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            await eventually(lambda: keys.health().state is Freshness.FRESH)

    run(scenario())


def test_another_loop_may_await_the_keys(run: Run, issuer: LocalIssuer) -> None:
    """The fetch happens on the store's own loop; a caller on another one gets the answer there."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await asyncio.to_thread(lambda: asyncio.run(keys.obtain()))
            assert held is keys.current()
            kid = issuer.rotate().kid
            again = await asyncio.to_thread(lambda: asyncio.run(keys.refresh_after_miss(kid, held.generation)))
            assert again.jwk_set.holds(kid)

    run(scenario())


def test_changes_are_told_on_the_loop_once_each(run: Run, issuer: LocalIssuer) -> None:
    """A first set is no change, the same set is none, and a listener that fails breaks nothing."""
    told: list[int] = []

    def listener(keys: IssuerKeys) -> None:
        told.append(keys.health().generation)
        raise RuntimeError("a listener's own trouble")

    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock, on_change=listener) as (_, keys):
            held = await keys.obtain()
            for _ in range(2):
                clock.forward(10)
                await keys.refresh_after_miss("nobody's", held.generation)
            clock.forward(10)
            await keys.refresh_after_miss(issuer.rotate().kid, held.generation)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
    assert told == [2]


def test_a_wall_clock_that_is_set_back_blocks_no_refresh(run: Run, issuer: LocalIssuer) -> None:
    """Ages are measured by the monotonic clock; an answer that came later is newer, whatever the wall clock says."""

    class SetBack(FakeClock):
        behind = 0.0

        def now(self) -> float:
            return self._now - self.behind

    clock = SetBack()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.obtain()
            clock.behind = 7200.0
            clock.forward(10)
            kid = issuer.rotate().kid
            assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
