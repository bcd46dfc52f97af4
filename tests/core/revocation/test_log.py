"""The log that a fleet shares, on a real server: what is appended is read by all, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward import AuthError, Refusal, RevocationNotSharedError, SharedRevocations
from bearward.cache.client import CacheError
from bearward.cache.sealed import seal
from bearward.clock import SystemClock
from bearward.errors import ConfigurationError
from bearward.revocation.entry import Revocation
from bearward.revocation.log import RevocationLog
from bearward.revocation.wire_format import PURPOSE
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import eventually
from tests.core.revocation.log_member import ISSUER, NAME, SECRET, Member, Store, entry


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is up, and keeps nothing on disk."""
    with Valkey(tmp_path) as server:
        yield server


def test_entries_of_one_member_are_read_by_another(valkey: Valkey, run: Run) -> None:
    """In batches, from wherever the other one was; nothing is forwarded twice."""

    async def use() -> None:
        one, two = Member(valkey), Member(valkey)
        await one.log.read()
        await two.log.read()
        names = [f"t{number}" for number in range(450)]
        assert await one.log.append([entry(name) for name in names])
        await two.log.read()
        assert two.known == set(names)
        two.known.clear()
        await two.log.read()
        assert two.known == set()
        for member in (one, two):
            await member.store.aclose()

    run(use())


class ForgetfulStore(Store):
    """A store that accepts everything and keeps nothing."""

    async def add_if_absent(self, key: str, value: str, ttl: float) -> bool:
        """So it says."""
        return True


def test_store_that_keeps_nothing_has_failed(valkey: Valkey, run: Run) -> None:
    """What it says that it did is no proof that it did: an empty list there is not "nothing is revoked"."""

    async def use() -> None:
        store = ForgetfulStore(valkey)
        log = RevocationLog(store, SystemClock(), name=NAME, secret=SECRET, learn=lambda _: None)
        with pytest.raises(CacheError, match="keeps nothing"):
            await log.read()
        await store.aclose()

    run(use())


def test_entries_of_a_replaced_log_are_not_shared(valkey: Valkey, run: Run) -> None:
    """The last look of `append`: an entry in a log that nobody reads any more has to be written to the new one."""

    async def use() -> None:
        one, two = Member(valkey), Member(valkey)
        await one.log.read()
        await two.log.read()
        await two.log.rotate([])
        assert not await one.log.append([entry("late")])
        await one.log.read()
        assert one.log.missing([entry("late")]) == [entry("late")]
        assert await one.log.append([entry("late")])
        await two.log.read()
        assert two.known == {"late"}
        for member in (one, two):
            await member.store.aclose()

    run(use())


def test_rotation_takes_along_what_was_appended_meanwhile(valkey: Valkey, run: Run) -> None:
    """Whoever appended until the new head stood may have been told that it is done; also behind a gap."""

    async def use() -> None:
        one, two = Member(valkey), Member(valkey)
        await one.log.read()
        await two.log.read()
        old = two.log._cursor.log

        async def meanwhile(key: str) -> None:
            if key == NAME:
                assert await one.log.append([entry("late")])
                text = seal(
                    f'[["jti","{ISSUER}","behind a gap",null,4000000000.0]]',
                    purpose=PURPOSE,
                    place=f"{NAME}:{old}:3",
                    secret=SECRET,
                )
                await one.store.put(f"{NAME}:{old}:3", text, 60)

        two.store.before_put = meanwhile
        await two.log.rotate([entry("living")])
        assert two.known == {"late", "behind a gap"}
        fresh = Member(valkey)
        await fresh.log.read()
        assert fresh.log._cursor.log == two.log._cursor.log != old
        assert fresh.known == {"living", "late", "behind a gap"}
        for member in (one, two, fresh):
            await member.store.aclose()

    run(use())


def test_entry_is_read_again_until_the_list_has_room(valkey: Valkey, run: Run) -> None:
    """A full list fails at each look, instead of passing over what it could not take."""

    async def use() -> None:
        one, two = Member(valkey), Member(valkey)
        await one.log.read()
        await one.log.append([entry("t1")])

        def full(new: list[Revocation]) -> None:
            raise ConfigurationError("revocations", "must stay below 0 entries that may still matter")

        two.learn = full  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                await two.log.read()
        two.learn = lambda new: Member.learn(two, new)  # type: ignore[method-assign]
        await two.log.read()
        assert two.known == {"t1"}
        for member in (one, two):
            await member.store.aclose()

    run(use())


def test_entries_of_another_version_are_not_damage(valkey: Valkey, run: Run) -> None:
    """During an update two versions share a log: what is authentic and unknown is counted, and left alone."""

    async def use() -> None:
        one = Member(valkey)
        await one.log.read()
        place = f"{NAME}:{one.log._cursor.log}:1"
        await one.store.put(place, seal('[["ip","i","n",null,1]]', purpose=PURPOSE, place=place, secret=SECRET), 60)
        await one.log.read()
        assert one.log.rejected == 1
        assert not one.log.damaged
        assert not one.log.needs_rotation(0)
        await one.store.aclose()

    run(use())


def test_unauthenticated_head_is_a_failure(valkey: Valkey, run: Run) -> None:
    """Also where an authentic text of another place stands there."""

    async def use() -> None:
        one = Member(valkey)
        await one.log.read()
        for text in ("garbage", seal("[]", purpose=PURPOSE, place="elsewhere", secret=SECRET)):
            await one.store.put(NAME, text, 60)
            with pytest.raises(CacheError, match="not authentic"):
                await one.log.read()
        await one.store.aclose()

    run(use())


def test_log_is_rotated_when_it_is_a_week_old(valkey: Valkey, run: Run) -> None:
    """Its entries live thirty days in the store; the new log has what is alive."""

    class Later(SystemClock):
        def __init__(self) -> None:
            self.now = lambda: SystemClock.now() + 7 * 86_400.0 + 1

    async def use() -> None:
        one, later = Member(valkey), Member(valkey, Later())
        await one.log.read()
        assert not one.log.needs_rotation(0)
        await later.log.read()
        assert later.log.needs_rotation(0)
        await later.log.rotate([entry("living")])
        assert not later.log.needs_rotation(0)
        await one.log.read()
        assert one.known == {"living"}
        for member in (one, later):
            await member.store.aclose()

    run(use())


def shared(valkey: Valkey) -> SharedRevocations:
    """The list of one process."""
    return SharedRevocations(
        cache=valkey.url, cache_secret=SECRET, on_failure="refuse", grace=0.2, poll_interval=0.05, name="test"
    )


def test_unexpected_store_error_is_a_failure(
    valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised, nobody is told that an entry is shared, and `on_failure` applies."""
    caplog.set_level(logging.CRITICAL, "bearward.revocation")

    async def broken(log: RevocationLog) -> None:
        raise RuntimeError

    async def use() -> None:
        one = shared(valkey)
        await one.start()
        read = RevocationLog.read
        monkeypatch.setattr(RevocationLog, "read", broken)
        one.revoke_token(ISSUER, "t1", until=4e9)
        with pytest.raises(RevocationNotSharedError):
            await one.flush()
        await eventually(lambda: not one.available, "the failure")
        assert "internal error" in one.health()
        monkeypatch.setattr(RevocationLog, "read", read)
        await one.flush()
        assert one.available
        await one.aclose()

    run(use())


def test_entry_made_stricter_meanwhile_is_not_yet_shared(
    valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is the cut-off before; the new one is still to be written."""
    append = RevocationLog.append
    later = 2_000_000_000.0

    async def use() -> None:
        one = shared(valkey)

        async def slow(log: RevocationLog, revocations: list[Revocation]) -> bool:
            monkeypatch.setattr(RevocationLog, "append", append)
            done = await append(log, revocations)
            one.revoke_subject(ISSUER, "ada", before=later)  # while the store is being written
            return done

        await one.start()
        monkeypatch.setattr(RevocationLog, "append", slow)
        one.revoke_subject(ISSUER, "ada", before=later - 1000)
        await one.flush()
        await one.flush()
        assert not one._unshared
        await one.aclose()
        two = shared(valkey)
        await two.start()
        assert [found.before for found in two.entries()] == [later]
        await two.aclose()

    run(use())


def test_full_list_is_a_failure(valkey: Valkey, run: Run) -> None:
    """What others revoked and this process cannot keep must not be taken for nothing."""

    async def use() -> None:
        one, two = shared(valkey), shared(valkey)
        two._max_entries = 0
        await one.start()
        await two.start()
        one.revoke_token(ISSUER, "t1", until=4e9)
        await one.flush()
        await eventually(lambda: not two.available, "the failure")
        assert "the list is full" in two.health()
        with pytest.raises(AuthError) as refused:
            two.check(None)  # type: ignore[arg-type]
        assert refused.value.refusal is Refusal.REVOCATION_UNAVAILABLE
        two._max_entries = 10
        await eventually(lambda: two.available, "the room")
        assert len(two) == 1
        for member in (one, two):
            await member.aclose()

    run(use())
