"""Issuers and tenants that come and go, on whichever loop: what nobody uses any more is closed, and holds no keys."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bearward import JWKSOptions, SymmetricKey, TrustedIssuer
from bearward.clock import SystemClock
from bearward.errors import AuthError, KeysNeededError
from bearward.jwks.start import StartError
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import DEADLINE, eventually, policy, started


def of_file(path: Path, poll_interval: float) -> TrustedIssuer:
    """An issuer whose keys are in a file that is looked at every so often."""
    return TrustedIssuer(
        "https://file.example", audience="a", jwks_options=JWKSOptions(jwks_file=str(path), poll_interval=poll_interval)
    )


async def replace(store: JWKSStore, *issuers: TrustedIssuer, keep_tenants: bool = True) -> None:
    """Put these in the place of the configured issuers."""
    replacement = store.replacement()
    for issuer in issuers:
        replacement.add(issuer)
    await store.prepare(replacement)
    store.commit(replacement, keep_tenants=keep_tenants)


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that another thread runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        loop.close()


def test_issuer_that_was_replaced_holds_no_keys_and_is_closed(run: Run, issuer: LocalIssuer) -> None:
    """Code that still has its keys finds none in them, and nothing of it goes on."""

    async def scenario() -> None:
        async with started(policy(issuer, start="eager", start_wait=30)) as (store, keys):
            assert keys.current() is not None
            assert keys.in_use
            await replace(store)
            assert keys.current() is None
            await eventually(lambda: not keys.in_use)

    run(scenario())


@pytest.mark.parametrize("keep", [True, False])
def test_tenants_go_where_others_are_trusted(keep: bool, run: Run, issuer: LocalIssuer) -> None:
    """Their keys are not used again; by the rules of the new era they are looked for anew, by those of the old one not at all."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        await store.start()
        era = store.era
        keys = store.keys_of(policy(issuer), era=era)
        await keys.get()
        await replace(store, keep_tenants=keep)
        assert (keys.current() is not None) is keep
        if keep:
            assert store.keys_of(policy(issuer), era=era) is keys
        else:
            await eventually(lambda: not keys.in_use)
            with pytest.raises(KeysNeededError):
                store.keys_of(policy(issuer), era=era)
            assert store.keys_of(policy(issuer), era=store.era) is not keys
        await store.aclose()

    run(scenario())


def test_issuers_that_could_not_be_prepared_are_closed(run: Run, issuer: LocalIssuer) -> None:
    """Required keys are not there: what was begun for the others ends too."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as down:
            down.down()
            async with started(policy(issuer)) as (store, _):
                replacement = store.replacement()
                fresh = [replacement.add(policy(down, start="required")), replacement.add(policy(issuer, burst=7))]
                with pytest.raises(StartError):
                    await store.prepare(replacement)
                await eventually(lambda: not any(keys.in_use for keys in fresh))

    run(scenario())


def test_forgotten_tenant_is_closed_and_told(run: Run, issuer: LocalIssuer) -> None:
    """Once; a tenant that nobody knows is nothing to forget."""

    async def scenario() -> None:
        told: list[Any] = []
        store = JWKSStore(clock=FakeClock(), on_change=told.append)
        await store.start()
        keys = store.keys_of(policy(issuer))
        await keys.get()
        store.forget("https://nobody.example")
        assert told == []
        for _ in range(2):
            store.forget(issuer.url)
        assert told == [keys]
        await eventually(lambda: not keys.in_use)
        await store.aclose()

    run(scenario())


def test_tenant_that_makes_room_is_closed(run: Run, issuer: LocalIssuer) -> None:
    """One that held keys, too: its timers and connections do not outlive it."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock(), max_tenants=1)
        await store.start()
        with LocalIssuer(algorithms=["ES256"]) as second:
            keys = store.keys_of(policy(issuer))
            await keys.get()
            await store.keys_of(policy(second)).get()
            await eventually(lambda: not keys.in_use)
        await store.aclose()
        assert keys.current() is not None  # whoever still waits with it may end in peace

    run(scenario())


def keys_file(path: Path, issuer: LocalIssuer) -> Path:
    """The keys of `issuer`, in a file."""
    path.write_text(json.dumps(issuer.keys.jwks()))
    return path


def test_shorter_interval_of_looking_is_in_force_at_once(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """And one that is the same begins nothing anew."""
    path = keys_file(tmp_path / "keys.json", issuer)

    async def scenario() -> None:
        async with started(of_file(path, 3600.0)) as (store, keys):
            await keys.get()
            seldom = store._polling
            assert seldom is not None
            await replace(store, of_file(path, 3600.0))
            assert store._polling is seldom
            assert store.keys_of(of_file(path, 3600.0)) is keys
            await replace(store, of_file(path, 0.05))
            kid = issuer.rotate().kid
            keys_file(path, issuer)
            current = store.keys_of(of_file(path, 0.05))
            await eventually(lambda: (held := current.current()) is not None and held.jwk_set.holds(kid))
            assert seldom.cancelled()

    run(scenario())


def test_issuer_that_was_never_asked_may_get_other_time_limits(run: Run, issuer: LocalIssuer) -> None:
    """There are no keys to take along; and an issuer that is named twice is one."""

    async def scenario() -> None:
        async with started(policy(issuer)) as (store, before):
            replacement = store.replacement()
            keys = replacement.add(policy(issuer, read_timeout=4.0))
            assert replacement.add(policy(issuer, read_timeout=4.0)) is keys
            await store.prepare(replacement)
            store.commit(replacement, keep_tenants=True)
            assert keys is not before
            assert keys.current() is None
            assert (await store.keys_of(policy(issuer)).get()).jwk_set.keys

    run(scenario())


SOON: dict[str, Any] = {"start": "eager", "start_wait": 30, "max_age": 1, "min_age": 1, "cooldown": 0}
"""Options of keys that are to be fetched again within a second."""


def test_keys_that_were_taken_along_are_refreshed_without_traffic(run: Run, issuer: LocalIssuer) -> None:
    """Other time limits do not end what goes on in the background."""

    async def scenario() -> None:
        async with started(policy(issuer, **SOON), SystemClock()) as (store, _):
            await replace(store, policy(issuer, read_timeout=4.0, **SOON))
            asked = issuer.requests()
            await eventually(lambda: issuer.requests() >= asked + 2)

    run(scenario())


def test_remembered_keys_are_refreshed_without_traffic(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """A start that asked nobody is followed by what follows any start."""
    trusted = policy(issuer, snapshot_dir=str(tmp_path), **{**SOON, "max_age": 3})

    async def scenario() -> None:
        async with started(trusted, SystemClock()):
            await eventually(lambda: any(tmp_path.glob("*.json")))
        asked = issuer.requests()
        async with started(trusted, SystemClock()) as (store, keys):
            assert keys.current() is not None
            assert issuer.requests() == asked
            assert store.health()[0].next_refresh is not None
            await eventually(lambda: issuer.requests() >= asked + 1)

    run(scenario())


def test_issuers_may_be_replaced_before_the_start(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """There is no loop yet on which to look at anything."""
    path = keys_file(tmp_path / "keys.json", issuer)

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        replacement = store.replacement()
        keys = replacement.add(of_file(path, 0.05))
        store.commit(replacement, keep_tenants=False)
        assert (await keys.get()).jwk_set.keys
        assert len(asyncio.all_tasks()) == 1  # nor does anything go on in the background before the start
        await store.start()
        kid = issuer.rotate().kid
        keys_file(path, issuer)
        await eventually(lambda: (held := keys.current()) is not None and held.jwk_set.holds(kid))
        await store.aclose()
        assert not keys.in_use

    run(scenario())


def test_work_is_done_on_the_loop_of_the_store(run: Run, issuer: LocalIssuer) -> None:
    """Whichever loop asks: to start more issuers, to run something, and to close it all."""

    async def ran() -> None:
        loops.append(asyncio.get_running_loop())

    loops: list[asyncio.AbstractEventLoop] = []
    trusted = policy(issuer, start="eager", start_wait=30)
    store = JWKSStore(clock=FakeClock())
    with running_loop() as own:

        def there(work: Callable[[], Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work(), own).result(DEADLINE)

        there(store.start)
        run(store.start([trusted]))
        keys = store.keys_of(trusted)
        assert keys.current() is not None
        run(store.run(ran))
        there(lambda: store.run(ran))
        assert loops == [own, own]
        assert keys.in_use
        run(store.aclose())
        assert not keys.in_use
        assert not asyncio.all_tasks(own)  # it waited for what ended there


@pytest.mark.parametrize("setting", ["jwks_uri", "pem_uri", "metadata_uri"])
def test_provider_of_invented_tenants_is_where_their_keys_are_asked_for(
    setting: str, run: Run, issuer: LocalIssuer
) -> None:
    """Whatever they are called: one provider is asked for sixteen of them, and others for theirs."""

    async def scenario() -> None:
        store = JWKSStore(clock=FakeClock())
        await store.start()
        for number in range(40):
            places: dict[str, Any] = {setting: f"{issuer.origin}/{number}/nothing"}
            if setting == "pem_uri":
                places["pem_uri"] += "/{kid}"
            invented = TrustedIssuer(f"https://tenant{number}.example", audience="a", **places)
            with pytest.raises(AuthError):
                await store.keys_of(invented).get()
        await store.aclose()

    run(scenario())
    assert issuer.requests() == 16


def test_configured_keys_are_neither_shared_nor_written_to_disk(run: Run, tmp_path: Path) -> None:
    """A secret that was configured stays in the configuration."""
    trusted = TrustedIssuer(
        "https://login.example",
        audience="a",
        symmetric_keys=[SymmetricKey(b"0123456789abcdef0123456789abcdef")],
        algorithms=["HS256"],
        jwks_options=JWKSOptions(snapshot_dir=str(tmp_path)),
    )

    async def scenario() -> None:
        async with started(trusted) as (store, keys):
            assert keys.fleet is None
            assert (await keys.get()).jwk_set.keys
            tenant = store.keys_of(trusted)
            assert tenant.fleet is None

    run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_taken_along_live_no_longer_than_the_new_settings_say(run: Run, issuer: LocalIssuer) -> None:
    """Whoever lowers `max_age` may do it because keys were stolen."""

    async def scenario() -> None:
        async with started(policy(issuer, max_age=86_400, start="eager", start_wait=30)) as (store, _):
            await replace(store, policy(issuer, max_age=60))
            keys = store.add(policy(issuer, max_age=60))
            assert keys.current() is not None
            assert keys.health().next_refresh is not None
            assert keys.health().next_refresh <= 60  # type: ignore[operator]

    run(scenario())


def test_settings_are_replaced_while_nothing_runs(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """After a close, with keys that are held and kept on disk: they are taken along, and written at the next fetch."""

    async def scenario() -> None:
        before = policy(issuer, snapshot_dir=str(tmp_path), start="eager", start_wait=30)
        async with started(before) as (store, keys):
            await keys.get()
        coming = policy(issuer, snapshot_dir=str(tmp_path), max_age=60)
        replacement = store.replacement()
        replacement.add(coming)
        store.commit(replacement, keep_tenants=True)
        assert store.add(coming).current() is not None

    run(scenario())


def test_issuer_that_is_removed_while_its_file_is_looked_at_is_not_read_again(run: Run, tmp_path: Path) -> None:
    """What a look found belongs to nobody then: no timer, no refresh, and no binding of a store that is closed."""
    path = tmp_path / "jwks.json"
    with LocalIssuer(algorithms=["ES256"]) as source:
        path.write_text(json.dumps(source.keys.jwks()))

    async def scenario() -> None:
        trusted = of_file(path, 60)
        async with started(trusted) as (store, keys):
            await keys.get()
            looking, go_on = asyncio.Event(), asyncio.Event()

            async def changed() -> bool:
                looking.set()
                await go_on.wait()
                return True

            keys.refresher.changed = changed  # type: ignore[method-assign]
            look = asyncio.create_task(keys.refresh_if_changed())
            await looking.wait()
            await replace(store)
            await eventually(lambda: not keys.in_use)
            go_on.set()
            await look
            keys._refresh_if_due()  # as a thread may have asked for just before
            keys.rebind()  # as a start does that was under way
            assert not keys.in_use

    run(scenario())
