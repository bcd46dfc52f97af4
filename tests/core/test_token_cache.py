"""The memory of verified tokens: how much it keeps, and that it counts what it keeps."""

from __future__ import annotations

from typing import Any, cast

from bearward.token_cache import CacheEntry, TokenCache

A, B, C = b"a", b"b", b"c"


def entry(cost: int = 10) -> CacheEntry:
    """An entry of this cost; what it stands for is of no account here."""
    nothing = cast("Any", None)
    return CacheEntry(nothing, lambda: None, nothing, 0, 0.0, 0.0, bound=False, cost=cost)


def test_an_entry_is_found_until_it_is_dropped() -> None:
    """In whichever generation it is; dropping what is not there does nothing."""
    cache, one = TokenCache(max_bytes=60), entry()
    cache.drop(A)
    cache.put(A, one)
    assert (cache.get(A), cache.get(B)) == (one, None)
    cache.drop(A)
    assert (cache.get(A), len(cache)) == (None, 0)
    for digest in (A, B, C, b"d"):
        cache.put(digest, entry())
    cache.drop(A)
    assert cache.get(A) is None


def test_what_was_dropped_leaves_its_room() -> None:
    """Three entries of ten fit into half of sixty bytes, and a fourth where one of them was dropped."""
    cache = TokenCache(max_bytes=60)
    for digest in (A, B, C):
        cache.put(digest, entry())
    cache.drop(A)
    cache.put(b"d", entry())
    assert set(cache._young) == {B, C, b"d"}
    assert cache._old == {}
    cache.put(b"e", entry())
    assert (set(cache._young), set(cache._old)) == ({b"e"}, {B, C, b"d"})


def test_a_used_entry_outlives_the_others() -> None:
    """It moves into the young generation, and is counted once."""
    cache = TokenCache(max_bytes=60)
    for digest in (A, B, C, b"d"):
        cache.put(digest, entry())
    assert len(cache) == 4
    assert cache.get(A) is not None
    assert len(cache) == 4
    cache.put(b"e", entry())
    cache.put(b"f", entry())
    assert [digest for digest in (A, B, C, b"d", b"e", b"f") if cache.get(digest)] == [A, b"d", b"e", b"f"]


def test_a_replaced_entry_takes_its_room_once() -> None:
    """As a token does that is judged again and again."""
    cache = TokenCache(max_bytes=60)
    for _ in range(9):
        cache.put(A, entry())
        cache.put(B, entry())
    assert (set(cache._young), cache._old, cache._young_bytes) == ({A, B}, {}, 20)


def test_what_is_too_large_for_the_memory_is_not_kept() -> None:
    """It would push out everything else; what just fits is kept."""
    cache = TokenCache(max_bytes=60)
    cache.put(A, entry(31))
    assert len(cache) == 0
    cache.put(A, entry(30))
    assert len(cache) == 1


def test_a_cleared_memory_has_all_its_room() -> None:
    """Nothing is left of what was there."""
    cache = TokenCache(max_bytes=60)
    for digest in (A, B, C, b"d"):
        cache.put(digest, entry())
    cache.clear()
    assert (len(cache), cache.get(A), cache.get(b"d")) == (0, None, None)
    for digest in (A, B, C):
        cache.put(digest, entry())
    assert (len(cache), cache._old) == (3, {})


def test_the_number_of_entries_is_bounded_too() -> None:
    """Half of them in each generation, one at least."""
    cache = TokenCache(max_entries=4)
    for number in range(9):
        cache.put(bytes([number]), entry())
        assert len(cache._young) <= 2
    assert len(cache) == 3
    assert repr(cache) == "<TokenCache: 3 tokens>"
    one = TokenCache(max_entries=1)
    one.put(A, entry())
    assert one.get(A) is not None
