"""An issuer that is down or returns nonsense: old keys serve, the rate limit holds, and bad sets replace nothing."""

from __future__ import annotations

import pytest

from bearward.fetch.errors import FetchFailure
from bearward.jwks.freshness import Freshness
from bearward.jwks.store import MissAction
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import policy, refused, started


def test_stale_keys_serve_while_the_issuer_is_down(run: Run, issuer: LocalIssuer) -> None:
    """Past their freshness, the keys are used as long as `stale_if_error` allows and not a moment longer."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, stale_if_error=3600), clock) as (_, keys):
            held = await keys.get()
            issuer.down()
            clock.forward(601)
            assert keys.current() is None  # nobody knows yet that the issuer is down
            assert await keys.get() is held
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


def test_stale_keys_are_unused_without_stale_if_error(run: Run, issuer: LocalIssuer) -> None:
    """It can be turned off."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, stale_if_error=0), clock) as (_, keys):
            await keys.get()
            issuer.down()
            clock.forward(601)
            await refused(keys)

    run(scenario())


def test_rate_limit_holds_during_an_outage(run: Run, issuer: LocalIssuer) -> None:
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
            await keys.get()

    run(scenario())
    assert 2 <= issuer.requests() <= 9


def test_unknown_kid_with_usable_keys_is_the_callers_fault(run: Run, issuer: LocalIssuer) -> None:
    """A forged token during an outage gets the held set to miss in, flips no readiness, and spoils nobody's answer."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            issuer.down()
            for number in range(50):
                assert await keys.refresh_after_miss(f"forged {number}", held.generation) is held
                assert keys.current() is held
                assert keys.health().ready
                clock.forward(1)

    run(scenario())


def test_flood_during_an_outage_refuses_no_good_caller(run: Run, issuer: LocalIssuer) -> None:
    """Whatever forged tokens do to the rate limit, at any moment: what is held is used to the end of the stale window."""
    clock = FakeClock()

    async def scenario() -> None:
        trusted = policy(issuer, max_age=20, min_age=0, stale_if_error=60, cooldown=5)
        async with started(trusted, clock) as (_, keys):
            held = await keys.get()
            issuer.down()
            for step in range(79 * 4):
                assert (keys.current() or await keys.get()) is held, f"after {step / 4} s"
                kid = f"forged {step}"
                if keys.decide_on_miss(kid, held.generation) is MissAction.FETCH:
                    await keys.refresh_after_miss(kid, held.generation)
                clock.forward(0.25)

    run(scenario())


def test_invalid_set_never_replaces_a_good_one(run: Run, issuer: LocalIssuer) -> None:
    """Empty, unusable, no JSON: the old keys stay, and health says what is wrong."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            bad = [b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b"{", b"<html>", b'{"keys": {}}', b"[]"]
            for number, document in enumerate(bad):
                issuer.serve_jwks(document)
                clock.forward(60)
                assert await keys.refresh_after_miss(f"kid {number}", held.generation) is held
                assert keys.health().last_failure is FetchFailure.NOT_A_KEY_SET
            assert keys.health().failures == len(bad)

    run(scenario())


def test_rejected_keys_are_counted_by_reason(run: Run, issuer: LocalIssuer) -> None:
    """The good ones stay usable, and an operator sees what is wrong with the others."""
    document = issuer.keys.jwks()
    document["keys"] += [{"kty": "oct", "k": "AAAA"}, {"kty": "quantum"}, 5, {**document["keys"][0], "use": "enc"}]

    async def scenario() -> None:
        issuer.serve_jwks(document)
        async with started(policy(issuer)) as (_, keys):
            await keys.get()
            health = keys.health()
            assert health.keys == 1
            assert sum(health.rejected_keys.values()) == 4
            assert set(health.rejected_keys) == {"symmetric", "unknown_type", "not_a_key", "not_for_signatures"}

    run(scenario())
