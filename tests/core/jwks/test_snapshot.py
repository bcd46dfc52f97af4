"""Snapshots on disk: a restart needs no issuer, and a disk that lies or fails harms nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from bearward import AuthError
from bearward.jwks.freshness import Freshness
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, started


def test_snapshot_serves_a_restart_without_the_issuer(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """The keys are there before the issuer is; they age from their fetch, and end with `stale_if_error`."""
    clock, directory = FakeClock(), tmp_path / "made" / "when needed"
    trusted = policy(issuer, start="eager", snapshot_dir=directory, max_age=600, stale_if_error=3600)

    async def first_life() -> None:
        async with started(trusted, clock) as (_, keys):
            await eventually(lambda: keys.current() is not None)
            await eventually(lambda: len(list(directory.glob("*.json"))) == 1)

    async def life(state: Freshness, age: float) -> None:
        async with started(trusted, clock) as (store, _):
            await eventually(lambda: store.health()[0].last_error is not None or state is Freshness.FRESH)
            assert (store.health()[0].state, store.health()[0].age) == (state, age)

    run(first_life())
    issuer.down()
    clock.forward(200)
    run(life(Freshness.FRESH, 200))
    clock.forward(1000)
    run(life(Freshness.STALE, 1200))
    clock.forward(3600)
    run(life(Freshness.UNAVAILABLE, 4800))


def test_snapshot_that_comes_later_is_read(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """A process that holds no keys while the issuer is down looks at the disk again with each attempt."""
    clock = FakeClock()
    trusted = policy(issuer, start="lazy", snapshot_dir=tmp_path, cooldown=0, stale_if_error=3600)

    async def scenario() -> None:
        issuer.down()
        async with started(trusted, clock) as (_, waiting):
            with pytest.raises(AuthError):
                await waiting.get()
            issuer.up()
            async with started(trusted, clock) as (_, other):
                await other.get()
                await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)
            issuer.down()
            clock.forward(60)
            assert (await waiting.get()).jwk_set.keys

    run(scenario())


BAD_SNAPSHOTS = {
    b"": "no JSON object",
    b"{": "no JSON object",
    b"\xff": "UnicodeDecodeError",
    b"{}": "for another issuer, or of another format",
    b" " * 300_000: "too large",
}
"""Each, and why it is not used."""


@pytest.mark.parametrize("content", BAD_SNAPSHOTS)
def test_damaged_snapshot_is_ignored(
    content: bytes, run: Run, issuer: LocalIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk can hold anything; the log says what is wrong with it."""
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path)

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)
            assert keys.current() is not None
        (path,) = tmp_path.glob("*.json")  # noqa: ASYNC240  (a test may block)
        path.write_bytes(content)
        async with started(trusted) as (_, keys):
            assert keys.current() is not None
            assert keys.health().attempts == 1
            await eventually(lambda: path.read_bytes() != content)

    run(scenario())
    assert f"the snapshot of {trusted.issuer} is not used: {BAD_SNAPSHOTS[content]}" in caplog.messages


def test_unwritable_snapshot_is_only_logged(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """A full or missing disk is a line in the log."""
    (tmp_path / "file").touch()
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path / "file" / "below")

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            assert keys.current() is not None

    run(scenario())


def test_planted_snapshot_is_rejected_with_a_secret(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """Who can write the directory cannot plant a key."""
    trusted = policy(issuer, start="eager", start_wait=30, snapshot_dir=tmp_path)

    async def write() -> None:
        async with started(trusted):
            await eventually(lambda: len(list(tmp_path.glob("*.json"))) == 1)

    async def read() -> None:
        async with started(trusted, cache_secret=b"0123456789abcdef") as (_, keys):
            assert keys.current() is None

    run(write())
    issuer.down()
    run(read())


def test_writer_that_comes_late_leaves_the_newer_snapshot(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """Threads write in any order: the one with the older entry finds that a newer one was to be saved."""

    async def scenario() -> None:
        async with started(policy(issuer, snapshot_dir=tmp_path)) as (_, keys):
            await keys.get()
            older = keys.entry
            kid = issuer.rotate().kid
            await keys.refresh()
            snapshot, newer = keys.refresher.snapshot, keys.entry
            assert snapshot is not None
            assert older is not None
            assert newer is not None
            await snapshot.save(newer)
            snapshot._write_newest(older)
            stored = await snapshot.load()
            assert stored is not None
            assert kid is not None
            assert stored.jwk_set.holds(kid)

    run(scenario())


@pytest.mark.parametrize("kind", [str, Path])
def test_write_that_fails_leaves_nothing_behind(
    kind: type[str | Path], run: Run, issuer: LocalIssuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No half of a file beside what stands in its way, and a line in the log; the directory may be named as a text."""
    trusted = policy(issuer, snapshot_dir=kind(tmp_path))

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            snapshot = keys.refresher.snapshot
            assert snapshot is not None
            (snapshot.path / "in the way").mkdir(parents=True)
            held = await keys.get()
            await eventually(lambda: "cannot be written" in caplog.text)
            assert keys.current() is held
            assert [*tmp_path.iterdir()] == [snapshot.path]  # noqa: ASYNC240  (a test may block)

    run(scenario())
