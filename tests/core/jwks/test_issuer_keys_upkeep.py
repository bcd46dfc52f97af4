"""One issuer's keys over time: what is recorded, recalled, shared and set anew, whoever has gone meanwhile."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from bearward import JWKSOptions, TrustedIssuer
from bearward.errors import AuthError
from bearward.jwks.source import description
from bearward.jwks.source_chain import source_for
from bearward.jwks.store import JWKSStore, MissAction
from bearward.jwks.tenant_admission import TenantAdmission
from bearward.jwks.unproven_tenant import UnprovenTenant
from bearward.loop import LoopBinding, WaiterLimit
from bearward.testing import LocalIssuer, MovableClock
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, eventually, policy, started


async def turns() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seconds", [700.0, 1300.0], ids=["expired", "beyond what a failing issuer leaves"])
def test_keys_that_were_too_old_when_they_came_are_asked_for_again(
    seconds: float, run: Run, issuer: LocalIssuer
) -> None:
    """A machine that was suspended during the fetch: what was asked for before says nothing of now."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, stale_if_error=600), clock) as (_, keys):
            issuer.hold()
            waiting = asyncio.create_task(keys.get())
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
            clock.forward(seconds)
            issuer.release()
            assert (await waiting).jwk_set.keys

    run(scenario())
    assert issuer.requests() == 2


def test_callers_with_bad_signatures_share_one_refresh(run: Run, issuer: LocalIssuer) -> None:
    """A key may have been replaced under its `kid`: that is looked up once for all who come meanwhile."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, cooldown=5), clock) as (_, keys):
            held = await keys.get()
            kid = issuer.key().kid
            clock.forward(5)
            issuer.hold()
            waiting = [asyncio.create_task(keys.refresh_after_miss(kid, held.generation)) for _ in range(5)]
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            issuer.release()
            await asyncio.gather(*waiting)

    run(scenario())
    assert issuer.requests() == 2


def test_unknown_kid_is_remembered_though_its_caller_has_gone(run: Run, issuer: LocalIssuer) -> None:
    """Who hangs up makes nothing cheaper for the next one who names it."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await keys.get()
            issuer.hold()
            caller = asyncio.create_task(keys.refresh_after_miss("nobody's", held.generation))
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks", 2)
            refresh = keys._in_flight
            assert refresh is not None
            caller.cancel()
            issuer.release()
            await refresh
            assert keys.decide_on_miss("nobody's", held.generation) is MissAction.UNKNOWN

    run(scenario())


def test_refresh_for_its_own_sake_says_nothing_of_tokens_without_a_kid(run: Run, issuer: LocalIssuer) -> None:
    """They may be of a key that was published since."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await keys.get()
            assert keys.decide_on_miss(None, held.generation) is MissAction.FETCH

    run(scenario())


def test_timer_is_set_again_where_nothing_was_due(run: Run, issuer: LocalIssuer) -> None:
    """A clock that was set has it look at once; it goes on, and what is due later is fetched then."""
    clock = MovableClock()

    async def scenario() -> None:
        async with started(policy(issuer, start="eager", start_wait=30, max_age=600), clock):
            clock.advance(10)
            await turns()
            assert issuer.requests() == 1
            clock.advance(460)
            await eventually(lambda: issuer.requests() == 2)

    run(scenario())


def test_closed_keys_have_no_timer(run: Run, issuer: LocalIssuer) -> None:
    """Nothing of an issuer that was replaced begins anew, whatever the clock does."""
    clock = MovableClock()

    async def scenario() -> None:
        async with started(policy(issuer, start="eager", start_wait=30, max_age=600), clock) as (store, keys):
            store.commit(store.replacement(), keep_tenants=True)
            await eventually(lambda: not keys.in_use)
            clock.advance(460)
            await turns()
            assert not keys.in_use

    run(scenario())
    assert issuer.requests() == 1


def test_process_whose_fetch_failed_takes_what_another_fetched(run: Run, issuer: LocalIssuer, valkey: Valkey) -> None:
    """A failure of its own is no reason to ask the issuer what the shared cache knows."""
    clock = FakeClock()
    shared: dict[str, Any] = {"cache": valkey.url, "cache_secret": SECRET}

    async def scenario() -> None:
        async with (
            started(policy(issuer), clock, **shared) as (_, ours),
            started(policy(issuer), clock, **shared) as (
                _,
                theirs,
            ),
        ):
            issuer.serve_jwks("no keys")
            with pytest.raises(AuthError):
                await ours.get()
            asked = issuer.requests()
            issuer.recover()
            clock.forward(600)
            await theirs.get()
            assert (await ours.get()).jwk_set.keys
            assert issuer.requests() == asked + 1

    run(scenario())


def test_snapshot_that_another_process_wrote_is_read_when_the_issuer_fails(
    run: Run, issuer: LocalIssuer, tmp_path: Path
) -> None:
    """Also long after the start: until then there was none."""
    clock, trusted = FakeClock(), policy(issuer, snapshot_dir=str(tmp_path))

    async def scenario() -> None:
        async with started(trusted, clock) as (_, ours):
            issuer.down()
            with pytest.raises(AuthError):
                await ours.get()
            issuer.up()
            async with started(trusted, clock) as (_, theirs):
                await theirs.get()
                await eventually(lambda: any(tmp_path.glob("*.json")))
            issuer.down()
            clock.forward(60)
            assert (await ours.get()).jwk_set.keys
            issuer.up()

    run(scenario())


def test_change_that_nobody_wants_to_hear_of_is_no_fault(
    run: Run, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """A store may be used without a verifier."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            held = await keys.get()
            kid = issuer.rotate().kid
            assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)

    with caplog.at_level(logging.ERROR):
        run(scenario())
    assert caplog.text == ""


def test_what_is_remembered_of_a_tenant_is_recalled_once(run: Run) -> None:
    """All who come meanwhile, and later, wait for the same."""
    recalled: list[bool] = []

    async def load(*, from_fleet: bool) -> None:
        recalled.append(from_fleet)

    async def scenario() -> None:
        binding = LoopBinding(FakeClock())
        binding.bind()
        ticket = TenantAdmission(FakeClock().monotonic).ticket("login.example", vouched=False)
        tenant, waiting = UnprovenTenant(ticket, binding, load), WaiterLimit(10)
        await asyncio.gather(*(tenant.recall(waiting) for _ in range(3)))
        await tenant.recall(waiting)
        await binding.aclose()

    run(scenario())
    assert recalled == [True]


def test_snapshot_of_a_tenant_needs_no_shared_cache(
    run: Run, issuer: LocalIssuer, valkey: Valkey, tmp_path: Path
) -> None:
    """Where the cache has lost it, what is on disk counts."""
    trusted = policy(issuer, snapshot_dir=str(tmp_path), read_timeout=120, total_timeout=120)

    async def scenario() -> None:
        before = JWKSStore(cache_secret=SECRET)
        await before.start()
        await before.keys_of(trusted).get()
        await eventually(lambda: any(tmp_path.glob("*.json")))
        await before.aclose()
        after = JWKSStore(cache=valkey.url, cache_secret=SECRET)
        await after.start()
        issuer.hold()  # nobody waits for it
        async with asyncio.timeout(30):
            assert (await after.keys_of(trusted).get()).jwk_set.keys
        issuer.release()
        await after.aclose()

    run(scenario())


def test_source_is_called_the_same_by_every_process() -> None:
    """However the path of a file was given; and one source of one's own is itself."""

    def issuer_with(**options: Any) -> TrustedIssuer:
        return TrustedIssuer("https://a.example", audience="a", jwks_options=JWKSOptions(**options))

    names = {description(source_for(issuer_with(jwks_file=kind("/etc/keys.json")))) for kind in (str, Path)}
    assert len(names) == 1

    class Own:
        async def load(self, *_: object) -> Any: ...

    own = Own()
    assert source_for(issuer_with(sources=[own])) is own
