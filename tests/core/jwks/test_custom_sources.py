"""Sources of the user's own, and files: what is shared with whom, and what watching them costs others."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.bug_reports import forget_reports
from bearward.fetch.caching import Validators
from bearward.fetch.http import HTTPClient
from bearward.jwks.options import JWKSOptions
from bearward.jwks.source import Loaded
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, eventually, fleet, started

NOWHERE = "redis://127.0.0.1:1"

pytestmark = pytest.mark.usefixtures("patient")


class Vault:
    """A source without a `repr` of its own."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self.asked = 0

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Respond, and count."""
        self.asked += 1
        return Loaded(self._document)


def trusted(name: str = "login", **options: Any) -> TrustedIssuer:
    """An issuer with these options, whose sources are looked at often and whose start waits."""
    keys = JWKSOptions(**{"poll_interval": 0.05, "start_wait": 30, **options})
    return TrustedIssuer(f"https://{name}.example", audience="a", jwks_options=keys)


def document_of(issuer: LocalIssuer) -> bytes:
    """The key set as it is now."""
    return json.dumps(issuer.keys.jwks()).encode()


def replace(path: Path, document: bytes) -> None:
    """Whole, as an operator should."""
    new = path.with_suffix(".new")
    new.write_bytes(document)
    new.rename(path)


def test_changed_file_is_read_again_while_the_cache_is_down(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """The one has nothing to do with the other."""
    path = tmp_path / "jwks.json"
    path.write_bytes(document_of(issuer))

    async def scenario() -> None:
        store = JWKSStore(cache=NOWHERE, cache_secret=SECRET)
        remote = TrustedIssuer(issuer.url, audience="a", jwks_uri=issuer.jwks_uri)
        local = trusted(jwks_file=path)
        await store.start([remote, local])
        keys = store.keys_of(local)
        held = keys.current()
        issuer.rotate()
        replace(path, document_of(issuer))
        await eventually(lambda: keys.current() is not held)
        assert store.keys_of(remote).health().cache != "ok"
        await store.aclose()

    run(scenario())


@pytest.mark.parametrize("fails", [True, False])
def test_source_whose_check_hangs_delays_no_other(fails: bool, run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """Whether it raises or hangs, another issuer's file is still looked at."""
    path = tmp_path / "jwks.json"
    path.write_bytes(document_of(issuer))

    class Unwatchable(Vault):
        async def changed(self) -> bool:
            if fails:
                raise ZeroDivisionError
            return await asyncio.Event().wait()

    async def scenario() -> None:
        store = JWKSStore()
        own, local = trusted("own", sources=(Unwatchable(path.read_bytes()),)), trusted("local", jwks_file=path)
        await store.start([own, local])
        keys = store.keys_of(local)
        for _ in range(2):
            held = keys.current()
            issuer.rotate()
            replace(path, document_of(issuer))
            await eventually(lambda held=held: keys.current() is not held)  # type: ignore[misc]
        await store.aclose()

    run(scenario())


def test_source_that_is_being_checked_is_not_checked_again(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """However long it takes, and however often another issuer's file is looked at meanwhile."""
    path = tmp_path / "jwks.json"
    path.write_bytes(document_of(issuer))
    asked = 0

    class Hanging(Vault):
        async def changed(self) -> bool:
            nonlocal asked
            asked += 1
            return await asyncio.Event().wait()

    async def scenario() -> None:
        store = JWKSStore()
        own, local = trusted("own", sources=(Hanging(path.read_bytes()),)), trusted("local", jwks_file=path)
        await store.start([own, local])
        keys = store.keys_of(local)
        for _ in range(3):
            held = keys.current()
            issuer.rotate()
            replace(path, document_of(issuer))
            await eventually(lambda held=held: keys.current() is not held)  # type: ignore[misc]
        assert asked == 1
        await store.aclose()

    run(scenario())


def test_source_whose_check_failed_is_checked_again(
    run: Run, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """At the next interval; the failure is logged without its text."""
    forget_reports()

    class Recovering(Vault):
        looks = 0

        async def changed(self) -> bool:
            self.looks += 1
            if self.looks == 1:
                raise ZeroDivisionError("a secret")
            return self.looks == 3

    async def scenario() -> None:
        source = Recovering(document_of(issuer))
        async with started(trusted(sources=(source,))):
            await eventually(lambda: source.looks > 4)
        assert source.asked == 2

    run(scenario())
    assert "polling for new keys failed in an unexpected way: ZeroDivisionError" in caplog.text
    assert "a secret" not in caplog.text


def test_file_source_is_never_shared(run: Run, tmp_path: Path, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Of two machines one has the new file a little earlier: the old one must not come back over the cache."""
    path = tmp_path / "jwks.json"
    path.write_bytes(document_of(issuer))

    async def scenario() -> None:
        async with fleet(trusted(jwks_file=path, poll_interval=3600), 2, cache=valkey.url, cache_secret=SECRET) as (
            one,
            other,
        ):
            assert one.fleet is None
            old = other.current()
            issuer.rotate()
            replace(path, document_of(issuer))
            await one.refresh_if_changed()
            await eventually(lambda: one.current() is not None and one.health().generation == 2)
            assert other.current() is old

    run(scenario())


def test_custom_source_is_shared_by_its_class(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Each process has its own object, and they mean the same."""
    sources = [Vault(document_of(issuer)) for _ in range(2)]

    async def scenario() -> None:
        stores = [JWKSStore(cache=valkey.url, cache_secret=SECRET) for _ in sources]
        for store, source in zip(stores, sources, strict=True):
            await store.start([trusted(sources=(source,))])
        for store in stores:
            await store.aclose()

    run(scenario())
    assert [source.asked for source in sources] == [1, 0]


def test_snapshot_of_a_custom_source_is_found_again(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """One file, however often the service is started."""

    async def life(source: Vault) -> None:
        async with started(trusted(sources=(source,), snapshot_dir=tmp_path)) as (_, keys):
            assert keys.current() is not None
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)

    sources = [Vault(document_of(issuer)) for _ in range(2)]
    for source in sources:
        run(life(source))
    assert [source.asked for source in sources] == [1, 0]
    assert len(list(tmp_path.iterdir())) == 1


def test_set_fetched_by_another_process_is_saved_to_the_snapshot(
    run: Run, tmp_path: Path, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """A process that never had to fetch may be the one that starts while the issuer is down."""
    there, here = tmp_path / "there", tmp_path / "here"
    kept = [TrustedIssuer(issuer.url, audience="a", jwks_uri=issuer.jwks_uri,
                          jwks_options=JWKSOptions(snapshot_dir=place, start_wait=30)) for place in (there, here)]  # fmt: skip

    async def scenario() -> None:
        stores = [JWKSStore(cache=valkey.url, cache_secret=SECRET) for _ in kept]
        for store, policy in zip(stores, kept, strict=True):
            await store.start([policy])
        first = stores[1].keys_of(kept[1]).current()
        kid = issuer.rotate().kid
        await stores[0].keys_of(kept[0]).refresh_after_miss(kid, 1)
        await eventually(lambda: stores[1].keys_of(kept[1]).current() is not first)
        await eventually(lambda: any(kid in path.read_text() for path in here.glob("*.json")))
        for store in stores:
            await store.aclose()

    run(scenario())
    assert issuer.requests() == 2


def test_of_two_snapshots_at_the_same_time_the_newer_stays(
    run: Run, tmp_path: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is slow with the first must not put it over the second."""
    from bearward.jwks.snapshot import Snapshot

    disk, begun = threading.Event(), threading.Event()
    write = Snapshot._write  # the disk itself

    def slowly(self: Snapshot, text: str) -> None:
        if not begun.is_set():
            begun.set()
            disk.wait(30)
        write(self, text)

    monkeypatch.setattr(Snapshot, "_write", slowly)
    clock = FakeClock()

    async def scenario() -> None:
        policy = TrustedIssuer(issuer.url, audience="a", jwks_uri=issuer.jwks_uri,
                               jwks_options=JWKSOptions(snapshot_dir=tmp_path, start_wait=30))  # fmt: skip
        async with started(policy, clock) as (_, keys):
            await eventually(begun.is_set)
            clock.forward(10)
            kid = issuer.rotate().kid
            await keys.refresh_after_miss(kid, 1)
            disk.set()
            await eventually(lambda: any(kid in path.read_text() for path in tmp_path.glob("*.json")))

    run(scenario())
