"""One issuer's keys against a real issuer, on a clock that stands still: who fetches, who waits, who is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bearward import TrustedIssuer
from bearward.jwks import JWKSOptions, StartMode
from bearward.jwks.freshness import Freshness
from bearward.jwks.store import JWKSStore, MissAction
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, refused, started


def test_concurrent_cold_lookups_share_one_fetch(run: Run, issuer: LocalIssuer) -> None:
    """A thousand callers that find no keys wait for the same refresh."""

    async def callers() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await asyncio.gather(*(keys.get() for _ in range(1000)))
            assert len({id(one) for one in held}) == 1

    run(callers())
    assert issuer.requests() == 1


def test_cancelled_caller_does_not_end_the_refresh(run: Run, issuer: LocalIssuer) -> None:
    """The one who started it may go away; the others get their keys."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            issuer.hold()
            first = asyncio.create_task(keys.get())
            others = [asyncio.create_task(keys.get()) for _ in range(10)]
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


def test_concurrent_unknown_kids_share_one_refresh(run: Run, issuer: LocalIssuer) -> None:
    """A hundred callers that miss in the same set cause one refresh, then find the key that was rotated in."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await keys.get()
            kid = issuer.rotate().kid
            again = await asyncio.gather(*(keys.refresh_after_miss(kid, held.generation) for _ in range(100)))
            assert all(one.jwk_set.holds(kid) for one in again)
            assert keys.decide_on_miss(kid, held.generation) is MissAction.REREAD
            late = await keys.refresh_after_miss(kid, held.generation)
            assert late is again[0]

    run(scenario())
    assert issuer.requests() == 2


def test_unknown_kids_cost_a_burst_and_one_fetch_per_cooldown(run: Run, issuer: LocalIssuer) -> None:
    """However many arrive: two fetches at once, then one per cooldown; no caller waits for the rate limit."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            held = await keys.get()
            clock.forward(60)  # the bucket is full again
            for step in range(30 * 8 + 1):  # 30 seconds
                for number in range(20):
                    kid = f"random {step} {number}"
                    if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                        assert await keys.refresh_after_miss(kid, held.generation) is held
                clock.forward(0.125)
            assert keys.health().state is Freshness.FRESH

    run(scenario())
    assert issuer.requests() - 1 == 8


def test_negative_cache_holds_until_key_set_changes(run: Run, issuer: LocalIssuer) -> None:
    """A kid that a refresh did not bring needs no second refresh, though the rate limit would let it through."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=60, burst=5), clock) as (_, keys):
            held = await keys.get()
            await keys.refresh_after_miss("nobody's", held.generation)
            clock.forward(50)
            assert keys.decide_on_miss("nobody's", held.generation) is MissAction.UNKNOWN
            assert keys.decide_on_miss("another", held.generation) is MissAction.FETCH
            kid = issuer.rotate().kid
            changed = await keys.refresh_after_miss(kid, held.generation)
            assert changed.generation == held.generation + 1
            assert keys.decide_on_miss("nobody's", changed.generation) is MissAction.FETCH

    run(scenario())


def test_key_used_before_its_publication_is_found_after_a_cooldown(run: Run, issuer: LocalIssuer) -> None:
    """Issuers sign with a key a moment before everybody can see it; whoever asked too early must not wait for long."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            early = issuer.publish_next().kid
            document = issuer.keys.jwks()
            issuer.serve_jwks({"keys": [key for key in document["keys"] if key["kid"] != early]})
            assert not (await keys.refresh_after_miss(early, held.generation)).jwk_set.holds(early)
            issuer.serve_jwks(document)
            assert keys.decide_on_miss(early, held.generation) is MissAction.UNKNOWN
            clock.forward(5)
            assert (await keys.refresh_after_miss(early, held.generation)).jwk_set.holds(early)

    run(scenario())


@pytest.mark.parametrize("kid", ["key-2026-02", None], ids=["guessed", "absent"])
def test_guessed_kid_delays_a_rotation_by_at_most_one_cooldown(kid: str | None, run: Run, issuer: LocalIssuer) -> None:
    """However often a forged token names the key that the issuer will use next."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5), clock) as (_, keys):
            held = await keys.get()
            for _ in range(300):
                clock.forward(0.25)
                if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                    assert await keys.refresh_after_miss(kid, held.generation) is held
            while keys.decide_on_miss(kid, held.generation) is not MissAction.FETCH:
                clock.forward(0.25)
            assert await keys.refresh_after_miss(kid, held.generation) is held  # the worst moment is right after this
            new = issuer.rotate(kid="key-2026-02").kid
            waited = 0.0
            while keys.decide_on_miss(kid, held.generation) is not MissAction.FETCH:
                clock.forward(0.25)
                waited += 0.25
            assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(new)
            assert waited <= 5.0

    run(scenario())


def test_kids_seen_during_a_fetch_are_remembered_from_its_beginning(run: Run, issuer: LocalIssuer) -> None:
    """A slow fetch says nothing about keys that were published after it began."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5), clock) as (_, keys):
            held = await keys.get()
            clock.forward(60)
            issuer.hold()
            first = asyncio.create_task(keys.refresh_after_miss("a", held.generation))
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            second = asyncio.create_task(keys.refresh_after_miss("b", held.generation))
            await asyncio.sleep(0)
            clock.forward(4)
            issuer.release()
            await asyncio.gather(first, second)
            clock.forward(0.9)
            assert keys.decide_on_miss("b", held.generation) is MissAction.UNKNOWN
            clock.forward(0.1)
            assert keys.decide_on_miss("b", held.generation) is MissAction.FETCH

    run(scenario())


@pytest.mark.parametrize("cooldown", [0, 5])
def test_unknown_kid_is_not_looked_for_again_by_whoever_waited(cooldown: float, run: Run, issuer: LocalIssuer) -> None:
    """However long the request took, and whatever the cooldown is: it is unknown for a second after that."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=cooldown), clock) as (_, keys):
            held = await keys.get()
            clock.forward(60)
            issuer.hold()
            waiting = asyncio.create_task(keys.refresh_after_miss("a", held.generation))
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            clock.forward(9)
            issuer.release()
            await waiting
            assert keys.decide_on_miss("a", held.generation) is MissAction.UNKNOWN
            clock.forward(1)
            assert keys.decide_on_miss("a", held.generation) is MissAction.FETCH

    run(scenario())


def test_key_replaced_under_the_same_kid_is_found_within_a_cooldown(run: Run, issuer: LocalIssuer) -> None:
    """A bad signature may mean that; it causes one request per cooldown at most, however many there are."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5), clock) as (_, keys):
            held = await keys.get()
            (kid,) = [key.kid for key in held.jwk_set.keys]
            assert keys.decide_on_miss(kid, held.generation) is MissAction.UNKNOWN  # they were fetched just now
            clock.forward(5)
            for _ in range(100):
                if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                    assert await keys.refresh_after_miss(kid, held.generation) is held
            assert issuer.requests() == 2
            with LocalIssuer(algorithms=["ES256"]) as other:
                issuer.serve_jwks({"keys": [{**other.keys.jwks()["keys"][0], "kid": kid}]})
            clock.forward(4.9)
            assert keys.decide_on_miss(kid, held.generation) is MissAction.UNKNOWN
            clock.forward(0.1)
            assert keys.decide_on_miss(kid, held.generation) is MissAction.FETCH
            new = await keys.refresh_after_miss(kid, held.generation)
            assert new.jwk_set.thumbprint != held.jwk_set.thumbprint
            assert keys.decide_on_miss(kid, held.generation) is MissAction.REREAD
            assert keys.decide_on_miss(kid, new.generation) is MissAction.UNKNOWN

    run(scenario())


def test_flood_of_bad_signatures_leaves_unknown_kids_their_whole_burst(run: Run, issuer: LocalIssuer) -> None:
    """Its requests take no permits: a rotation, and another one right after it, are found at once."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5, burst=1), clock) as (_, keys):
            held = await keys.get()
            (kid,) = [key.kid for key in held.jwk_set.keys]
            clock.forward(5)
            for _ in range(4):
                for _ in range(20):
                    if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                        await keys.refresh_after_miss(kid, held.generation)
                new = issuer.publish_next().kid
                assert keys.decide_on_miss(new, held.generation) is MissAction.FETCH
                held = await keys.refresh_after_miss(new, held.generation)
                assert held.jwk_set.holds(new)
                clock.forward(5)

    run(scenario())
    assert issuer.requests() == 1 + 4 * 2


def test_unknown_kid_is_looked_for_after_a_request_that_a_bad_signature_caused(run: Run, issuer: LocalIssuer) -> None:
    """That request may have begun before the key was published: its result says nothing about the `kid`."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5), clock) as (_, keys):
            held = await keys.get()
            (kid,) = [key.kid for key in held.jwk_set.keys]
            clock.forward(5)
            issuer.hold()
            bad = asyncio.create_task(keys.refresh_after_miss(kid, held.generation))
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            waiting = [asyncio.create_task(keys.refresh_after_miss("new", held.generation)) for _ in range(5)]
            await asyncio.sleep(0)
            issuer.release()
            assert await bad is held
            document = issuer.keys.jwks()
            issuer.serve_jwks({"keys": [*document["keys"], {**document["keys"][0], "kid": "new"}]})
            assert all([(await one).jwk_set.holds("new") for one in waiting])

    run(scenario())
    assert issuer.requests() == 3


@pytest.mark.parametrize("due", [False, True])
def test_failure_that_a_bad_signature_caused_delays_no_other_refresh(due: bool, run: Run, issuer: LocalIssuer) -> None:
    """The back-off begins only where a refresh was due, and then the old set is used while the issuer fails."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5, max_age=100), clock) as (_, keys):
            held = await keys.get()
            (kid,) = [key.kid for key in held.jwk_set.keys]
            issuer.down()
            for _ in range(4):
                clock.forward(5)
                assert await keys.refresh_after_miss(kid, held.generation) is held
            assert keys.health().failures == 0
            if due:
                clock.forward(60)
                assert await keys.refresh_after_miss(kid, held.generation) is held
                assert keys.health().failures == 1
                clock.forward(60)
                assert keys.health().state is Freshness.STALE
            else:
                issuer.up()
                new = issuer.rotate().kid
                assert (await keys.refresh_after_miss(new, held.generation)).jwk_set.holds(new)

    run(scenario())


def test_unchanged_set_keeps_its_identity(run: Run, issuer: LocalIssuer) -> None:
    """What was verified with a set stays cached over refreshes that bring the same keys, with or without a 304."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            for conditional in (True, False):
                issuer.conditional = conditional
                clock.forward(10)
                assert await keys.refresh_after_miss(f"kid {conditional}", held.generation) is held
            assert keys.health().attempts == 3

    run(scenario())


def test_due_refresh_runs_in_the_background(run: Run, issuer: LocalIssuer) -> None:
    """Past half of the lifetime the answer is still at once, and a refresh begins, once, however many ask."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            held = await keys.get()
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


def test_set_is_not_used_from_the_moment_its_lifetime_ends(run: Run, issuer: LocalIssuer) -> None:
    """Though a refresh is under way: whoever comes then waits for it."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            held = await keys.get()
            clock.forward(599.0)
            issuer.hold()
            assert keys.current() is held
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            clock.forward(0.9)
            assert keys.current() is held
            clock.forward(0.1)
            assert keys.current() is None
            issuer.release()
            assert await keys.get() is held

    run(scenario())


def test_keys_that_are_not_due_are_not_fetched_in_the_background(run: Run, issuer: LocalIssuer) -> None:
    """However often that is asked for; once they are, one request is made."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (_, keys):
            await keys.get()
            for attempts in (1, 2):
                for _ in range(10):
                    keys.fetch_soon()
                    await asyncio.sleep(0)
                await eventually(lambda attempts=attempts: keys.health().attempts == attempts)  # type: ignore[misc]
                await eventually(lambda: keys.health().state is Freshness.FRESH)
                clock.forward(460)

    run(scenario())
    assert issuer.requests() == 2


def test_lookup_while_the_loop_stands_still_holds_up_no_later_one(issuer: LocalIssuer) -> None:
    """Keys that were due then, and could not be fetched, are fetched at the next look once the loop runs again."""
    clock = FakeClock()
    store = JWKSStore(clock=clock)
    keys = store.keys_of(policy(issuer, max_age=600))  # a tenant has no timer, so that it is the look that fetches

    async def look() -> None:
        assert keys.current() is not None
        await eventually(lambda: issuer.requests() == 2)
        await eventually(lambda: keys.health().state is Freshness.FRESH)

    with asyncio.Runner() as runner:
        runner.run(store.start())
        runner.run(keys.get())
        clock.forward(460)
        assert keys.current() is not None
        runner.run(look())
        runner.run(store.aclose())


def test_refresh_that_is_under_way_is_the_one(run: Run, issuer: LocalIssuer) -> None:
    """Whoever wants one now gets that; the first to want one makes the loop that of the keys."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            issuer.hold()
            first = keys.refresh()
            assert keys.in_use
            assert keys.refresh() is first
            issuer.release()
            await first

    run(scenario())
    assert issuer.requests() == 1


def test_source_that_nobody_used_is_not_asked_whether_it_changed(run: Run, tmp_path: Path) -> None:
    """A lazy issuer that no token named costs nothing in the background."""
    file = tmp_path / "keys.json"
    file.write_text("{}")
    lazy = TrustedIssuer(
        "https://a.example", audience="a", jwks_options=JWKSOptions(jwks_file=str(file), start=StartMode.LAZY)
    )

    async def scenario() -> None:
        async with started(lazy) as (_, keys):
            await keys.refresh_if_changed()
            assert keys.health().attempts == 0

    run(scenario())


def test_waiters_are_bounded(run: Run, issuer: LocalIssuer) -> None:
    """Who comes when it is full is refused at once: a slow issuer cannot pile up callers."""

    async def scenario() -> None:
        async with started(policy(issuer, max_waiters=10)) as (_, keys):
            issuer.hold()
            waiting = [asyncio.create_task(keys.get()) for _ in range(10)]
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
            await refused(keys)
            assert keys.decide_on_miss("any", 0) is MissAction.UNKNOWN
            issuer.release()
            await asyncio.gather(*waiting)

    run(scenario())
