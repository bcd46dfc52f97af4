"""The upkeep of the log, on a real server: writers at once, gaps, damage, and new logs in place of old ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bearward.cache.client import CacheError
from bearward.cache.sealed import seal
from bearward.clock import Clock
from bearward.revocation.wire_format import PURPOSE, pack
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.revocation.log_member import NAME, SECRET, Member, Store, entry


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is up, and keeps nothing on disk."""
    with Valkey(tmp_path) as server:
        yield server


@asynccontextmanager
async def members(valkey: Valkey, number: int, clock: Clock | None = None) -> AsyncIterator[list[Member]]:
    """So many, all of which have read the log."""
    all_of_them = [Member(valkey, clock) for _ in range(number)]
    try:
        for member in all_of_them:
            await member.log.read()
        yield all_of_them
    finally:
        for member in all_of_them:
            await member.store.aclose()


def place_of(member: Member, index: int) -> str:
    """Where the entry of this index stands in the log that the member reads."""
    return f"{NAME}:{member.log._cursor.log}:{index}"


async def put(member: Member, index: int) -> None:
    """An authentic entry in the member's log, whatever stands before it."""
    place = place_of(member, index)
    await member.store.put(place, seal(pack([entry(f"t{index}")]), purpose=PURPOSE, place=place, secret=SECRET), 60)


async def lose(member: Member, key: str) -> None:
    """What stands there is gone."""
    (text,) = await member.store.get([key])
    assert text is not None
    await member.store.release_lease(key, text)


def test_writers_at_once_write_two_entries(valkey: Valkey, run: Run) -> None:
    """Whose place was taken by another looks for the next one, and learns what stands before it."""

    async def use() -> None:
        async with members(valkey, 2) as (one, two):
            for number in range(3):
                assert await one.log.append([entry(f"one {number}")])
                assert await one.log.append([entry(f"more {number}")])
                assert await two.log.append([entry(f"two {number}")])
            assert two.known == {f"{who} {number}" for who in ("one", "more") for number in range(3)}
            async with members(valkey, 1) as (late,):
                assert late.known == two.known | {f"two {number}" for number in range(3)}
                assert not late.log.damaged

    run(use())


class FullStore(Store):
    """A store that takes no new entry."""

    async def add_if_absent(self, key: str, value: str, ttl: float) -> bool:
        """Nothing is stored."""
        return False


def test_entry_that_can_be_neither_written_nor_read_is_a_failure(valkey: Valkey, run: Run) -> None:
    """It is not shared, and nobody tries for ever."""

    async def use() -> None:
        async with members(valkey, 1) as (one,):
            full = one.log._cache = FullStore(valkey)
            with pytest.raises(CacheError, match="neither be written nor read"):
                await one.log.append([entry("t1")])
            await full.aclose()

    run(use())


def test_entry_is_not_shared_by_a_store_that_was_emptied(valkey: Valkey, run: Run) -> None:
    """Where nothing says which log is read, nobody will read it; it is written to the next log."""

    async def use() -> None:
        async with members(valkey, 1) as (one,):
            await lose(one, NAME)
            assert not await one.log.append([entry("t1")])
            await one.log.read()
            assert one.log.missing([entry("t1")]) == [entry("t1")]

    run(use())


def test_long_log_is_read_to_its_end(valkey: Valkey, run: Run) -> None:
    """However many entries stand in it, and at once."""

    async def use() -> None:
        async with members(valkey, 1) as (one,):
            for index in range(1, 151):
                await put(one, index)
            async with members(valkey, 1) as (late,):
                assert late.known == {f"t{index}" for index in range(1, 151)}

    run(use())


def test_rotation_takes_along_however_much_was_appended_meanwhile(valkey: Valkey, run: Run) -> None:
    """Not only what one look at the old log shows."""
    names = {f"t{index}" for index in range(1, 151)}

    async def use() -> None:
        async with members(valkey, 1) as (one,):

            async def meanwhile(key: str) -> None:
                if key == NAME:
                    one.store.before_put = None
                    for index in range(1, 151):
                        await put(one, index)

            one.store.before_put = meanwhile
            await one.log.rotate([])
            assert one.known == names
            async with members(valkey, 1) as (late,):
                assert late.known == names

    run(use())


def test_log_that_another_process_replaced_is_not_replaced_again(valkey: Valkey, run: Run) -> None:
    """Who knows only the old log would take the new entries from everybody."""

    async def use() -> None:
        async with members(valkey, 2) as (one, two):
            await one.log.rotate([entry("t1")])
            await one.log.append([entry("t2")])
            await two.log.rotate([])
            async with members(valkey, 1) as (late,):
                assert late.known == {"t1", "t2"}

    run(use())


def test_log_may_be_replaced_again_as_soon_as_that_is_done(valkey: Valkey, run: Run) -> None:
    """By whichever process: the lease is given back."""

    async def use() -> None:
        async with members(valkey, 2) as (one, two):
            await one.log.rotate([entry("t1")])
            await two.log.read()
            await two.log.rotate([entry("t1"), entry("t2")])
            async with members(valkey, 1) as (late,):
                assert late.known == {"t1", "t2"}

    run(use())


GAPS = {
    "the gap is there at the next look": (("t2",), True),
    "the entry came": (("t1", "t2"), False),
    "what stood behind it is gone": ((), False),
}


@pytest.mark.parametrize("name", GAPS)
def test_gap_is_damage_if_it_is_there_at_two_looks(valkey: Valkey, run: Run, name: str) -> None:
    """A writer may have written a later entry between the reading of the one and of the other."""
    then, damaged = GAPS[name]

    async def use() -> None:
        async with members(valkey, 1) as (one,):
            assert not one.log.damaged
            await put(one, 2)
            await one.log.read()
            assert not one.log.damaged
            if "t1" in then:
                await put(one, 1)
            if "t2" not in then:
                await lose(one, place_of(one, 2))
            await one.log.read()
            assert one.log.damaged == damaged
            assert one.known == (set(then) if not damaged else set())

    run(use())


def test_log_that_is_damaged_again_and_again_is_replaced_every_five_seconds(valkey: Valkey, run: Run) -> None:
    """Whoever can write to the store does not have us rewrite the log all the time; a log that was whole is no repair."""
    clock = FakeClock()

    async def use() -> None:
        async with members(valkey, 1, clock) as (one,):

            async def needs_repair() -> bool:
                await one.store.put(place_of(one, one.log._cursor.next), "garbage", 60)
                await one.log.read()
                assert one.log.damaged
                return one.log.needs_rotation(0)

            await one.log.rotate([])
            for _ in range(2):
                assert await needs_repair()
                await one.log.rotate([])
                assert not one.log.needs_rotation(0)
                assert not await needs_repair()
                clock.forward(4)
                assert not one.log.needs_rotation(0)
                clock.forward(1)

    run(use())


def test_log_lacks_what_is_stricter_than_its_entries(valkey: Valkey, run: Run) -> None:
    """A later cut-off and a longer life are written again to a log that is new; what it covers is not."""
    known = entry("t1")._replace(kind="sub", before=1000.0, until=2000.0)

    async def use() -> None:
        async with members(valkey, 1) as (one,):
            await one.log.append([known, known._replace(before=500.0, until=1500.0)])
            for before, until, lacks in [
                *((1000.0, 2000.0, False), (900.0, 1900.0, False)),
                *((1001.0, 2000.0, True), (1000.0, 2001.0, True), (1001.0, 1900.0, True), (900.0, 2001.0, True)),
            ]:
                async with members(valkey, 1) as (late,):
                    mine = known._replace(before=before, until=until)
                    assert late.log.missing([mine]) == ([mine] if lacks else [])
                    assert late.log.missing([mine]) == []

    run(use())
