"""The store: starting in four ways, tenants within bounds, ending, and starting again elsewhere."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bearward.clock import SystemClock
from bearward.errors import AuthError, ConfigurationError
from bearward.fetch.errors import FetchFailure
from bearward.jwks.freshness import Freshness
from bearward.jwks.start import StartError
from bearward.jwks.store import JWKSStore
from bearward.refusals import Refusal
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, started


def test_eager_start_has_the_keys_ready(run: Run, issuer: LocalIssuer) -> None:
    """The first token waits for nothing."""

    async def scenario() -> None:
        async with started(policy(issuer, start="eager", start_wait=30)) as (store, keys):
            assert keys.current() is not None
            assert [health.ready for health in store.health()] == [True]

    run(scenario())


def test_eager_start_does_not_wait_for_an_issuer_that_hangs(run: Run, issuer: LocalIssuer) -> None:
    """After `start_wait` the service goes on, and the fetch too."""

    async def scenario() -> None:
        issuer.hold()
        async with started(policy(issuer, start="eager", start_wait=0.05)) as (store, keys):
            assert keys.current() is None
            assert not store.health()[0].ready
            issuer.release()
            await eventually(lambda: keys.current() is not None)

    run(scenario())


def test_keys_are_fetched_in_the_background_once_the_issuer_is_up(run: Run, issuer: LocalIssuer) -> None:
    """While it is down, attempts go on in the background, and readiness follows."""

    async def scenario() -> None:
        issuer.down()
        trusted = policy(issuer, start="eager", cooldown=0.05, max_backoff=0.1)
        async with started(trusted, SystemClock()) as (store, _):
            await eventually(lambda: store.health()[0].last_failure is FetchFailure.CONNECT)
            assert not store.health()[0].ready
            issuer.up()
            await eventually(lambda: store.health()[0].ready)

    run(scenario())


def test_health_tells_the_last_failure_field_by_field(run: Run, issuer: LocalIssuer) -> None:
    """Failure, URL, setting, cause and remedy, as JSON can carry them, until an attempt succeeds."""

    async def scenario() -> None:
        issuer.down()
        trusted = policy(issuer, start="eager", cooldown=0.05, max_backoff=0.1)
        async with started(trusted, SystemClock()) as (store, _):
            await eventually(lambda: store.health()[0].last_error is not None)
            page = json.loads(json.dumps(store.health()[0].to_dict()))
            fields = page["last_error_fields"]
            assert sorted(fields) == ["cause", "failure", "remedy", "setting", "url"]
            assert (fields["failure"], fields["setting"]) == ("connect", "jwks_uri")
            assert fields["url"] == issuer.jwks_uri
            assert "jwks_options.proxy" in fields["remedy"]
            assert page["last_error_at"] is not None
            issuer.up()
            await eventually(lambda: store.health()[0].last_error_fields is None)

    run(scenario())


def test_required_start_fails_without_keys(run: Run, issuer: LocalIssuer) -> None:
    """KEYS_UNAVAILABLE, and its text names the issuer for whoever reads the log."""
    issuer.down()
    trusted = policy(issuer, start="required")

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        try:
            with pytest.raises(StartError) as failed:
                await store.start([trusted])
            assert failed.value.refusal is Refusal.KEYS_UNAVAILABLE
            assert issuer.url in str(failed.value)
        finally:
            await store.aclose()

    run(scenario())


def test_lazy_start_fetches_nothing_and_is_ready(run: Run, issuer: LocalIssuer) -> None:
    """Who waits for readiness before sending the first token must not wait forever."""

    async def scenario() -> None:
        async with started(policy(issuer, start="lazy")) as (store, keys):
            assert issuer.requests() == 0
            assert store.health()[0].ready
            assert store.health()[0].state is Freshness.UNAVAILABLE
            issuer.down()
            with pytest.raises(AuthError):
                await keys.get()
            assert not store.health()[0].ready

    run(scenario())


def test_store_restarts_on_another_loop(run: Run, issuer: LocalIssuer) -> None:
    """What is held survives `aclose`; fetching goes on where it is started next."""
    trusted = policy(issuer, start="eager", start_wait=30)
    clock = FakeClock()
    store = JWKSStore(clock=clock)

    async def life() -> None:
        await store.start([trusted])
        keys = store.keys_of(trusted)
        held = keys.current()
        assert held is not None
        clock.forward(60)
        kid = issuer.rotate().kid
        assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
        await store.aclose()
        assert keys.current() is not None

    run(life())
    run(life())


def test_loop_closed_without_aclose_is_replaced(run: Run, issuer: LocalIssuer) -> None:
    """A store that was never closed binds to the next loop that awaits it."""
    store, trusted = JWKSStore(clock=FakeClock()), policy(issuer)
    keys = store.keys_of(trusted)
    run(keys.get())
    kid = issuer.rotate().kid
    assert run(keys.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
    run(store.aclose())


def test_closing_during_a_fetch_releases_all_waiters(run: Run, issuer: LocalIssuer) -> None:
    """Who waits is told that keys are unavailable; nothing of the fetch stays behind."""

    async def scenario() -> None:
        issuer.hold()
        async with started(policy(issuer)) as (_, keys):
            waiting = asyncio.create_task(keys.get())
            await asyncio.to_thread(issuer.wait_for_requests, "/jwks")
        with pytest.raises(AuthError):
            await waiting
        assert len(asyncio.all_tasks()) == 1
        issuer.release()

    run(scenario())


WRONG: list[tuple[str, dict[str, Any]]] = [
    *(("max_tenants", {"max_tenants": number}) for number in (0, -1, 1.5, "5")),
    ("jwks_cache_secret", {"cache_secret": b"short"}),
    ("jwks_cache_secret", {"cache_secret": "text of a good length"}),
    *(("cache", {"cache": url}) for url in ("", "redis://", "nonsense", "redis://host:port", "https://host", "memcached://",
                                            "redis://host/database", "redis://host?nonsense=1", "unix://", "memory://host")),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "arguments"), WRONG)
def test_wrong_settings_are_refused_by_name(setting: str, arguments: dict[str, Any]) -> None:
    """Before anything is started, and without repeating what may hold a password."""
    with pytest.raises(ConfigurationError) as refused:
        JWKSStore(**arguments)
    assert refused.value.setting == setting


def test_health_as_object_and_line(run: Run, issuer: LocalIssuer) -> None:
    """Everything an operator asks about, as JSON and as a line, and in the `repr`."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600), clock) as (store, keys):
            await keys.get()
            clock.forward(10)
            health = store.health()[0]
            document = health.to_dict()
            assert document["state"] == "fresh"
            assert document["issuer"] == issuer.url
            assert (document["age"], document["keys"], document["generation"]) == (10, 1, 1)
            assert document["stale_left"] == 4190
            assert 290 <= document["next_refresh"] <= 440
            line = health.line()
            assert line == repr(keys)[len("<IssuerKeys ") : -1]
            for part in (issuer.url, "fresh", "generation 1, 1 key, age 10 s", document["thumbprint"][:12]):
                assert part in line

    run(scenario())


SHARED = ["redis://127.0.0.1:1/0", "valkey+unix:///nowhere.sock", "memcached://127.0.0.1:1", object()]


@pytest.mark.parametrize("cache", SHARED, ids=["redis", "unix", "memcached", "a backend"])
def test_shared_cache_needs_a_secret(cache: Any) -> None:
    """Whoever can write an unauthenticated cache can plant keys; only a name that says so allows it."""
    with pytest.raises(ConfigurationError, match=r"^jwks_cache_secret: must be set") as refused:
        JWKSStore(cache=cache)
    assert "unsafe_allow_unauthenticated_cache" in str(refused.value)
    JWKSStore(cache=cache, unsafe_allow_unauthenticated_cache=True)
    JWKSStore(cache=cache, cache_secret=b"0123456789abcdef")
    JWKSStore(cache="memory://")
