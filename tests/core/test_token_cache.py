"""The memory of verified tokens: how much it keeps, and that it counts what it keeps."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import pytest

from bearward import AuthError, Refusal
from bearward.credential_place import CredentialPlace
from bearward.token_cache import CacheEntry, CountingTokenCache, TokenCache, estimated_bytes, token_digest

A, B, C = b"a", b"b", b"c"


def entry(cost: int = 10) -> CacheEntry:
    """An entry of this cost; what it stands for is of no account here."""
    nothing = cast("Any", None)
    return CacheEntry(nothing, lambda: None, nothing, 0, 0.0, 0.0, bound=False, cost=cost)


def test_entry_is_found_until_dropped() -> None:
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


def test_dropped_entry_frees_its_room() -> None:
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


def test_used_entry_outlives_unused_ones() -> None:
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


def test_replaced_entry_is_counted_once() -> None:
    """As a token does that is judged again and again."""
    cache = TokenCache(max_bytes=60)
    for _ in range(9):
        cache.put(A, entry())
        cache.put(B, entry())
    assert (set(cache._young), cache._old, cache._young_bytes) == ({A, B}, {}, 20)


def test_oversized_entry_is_not_kept() -> None:
    """It would push out everything else; what just fits is kept."""
    cache = TokenCache(max_bytes=60)
    cache.put(A, entry(31))
    assert len(cache) == 0
    cache.put(A, entry(30))
    assert len(cache) == 1


def test_cleared_cache_has_all_its_room() -> None:
    """Nothing is left of what was there."""
    cache = TokenCache(max_bytes=60)
    for digest in (A, B, C, b"d"):
        cache.put(digest, entry())
    cache.clear()
    assert (len(cache), cache.get(A), cache.get(b"d")) == (0, None, None)
    for digest in (A, B, C):
        cache.put(digest, entry())
    assert (len(cache), cache._old) == (3, {})


def test_number_of_entries_is_bounded() -> None:
    """Half of them in each generation, one at least."""
    cache = TokenCache(max_entries=4)
    for number in range(9):
        cache.put(bytes([number]), entry())
        assert len(cache._young) <= 2
    assert len(cache) == 3
    assert repr(cache) == "<TokenCache: 3 tokens>"
    for fewest in (1, 2, 3):
        few = TokenCache(max_entries=fewest)
        for digest in (A, B, C):
            few.put(digest, entry())
            assert set(few._young) == {digest}


def test_evictions_count_what_no_one_used_since() -> None:
    """Dropping a generation evicts its entries, less those that were used, and so moved on."""
    cache = TokenCache(max_bytes=60)
    for digest in (A, B, C):
        cache.put(digest, entry())
    assert cache.evictions == 0
    cache.put(b"d", entry())
    assert cache.evictions == 0
    assert None not in (cache.get(A), cache.get(B))
    cache.put(b"e", entry())  # drops A, B and C; A and B had moved on
    assert cache.evictions == 1
    for digest in (b"f", b"g"):
        cache.put(digest, entry())
    cache.put(b"h", entry())  # drops d, A and B, which nobody used
    assert cache.evictions == 4
    for digest in (b"i", b"j", b"k"):
        cache.put(digest, entry())
    assert cache.evictions == 7


def test_counting_cache_counts_hits_and_misses() -> None:
    """It finds what the plain one finds, which counts neither."""
    for cache, hits, misses in ((CountingTokenCache(), 2, 3), (TokenCache(), 0, 0)):
        assert (cache.hits, cache.misses) == (0, 0)
        cache.put(A, one := entry())
        assert [cache.get(digest) for digest in (A, B, B, A, C)] == [one, None, None, one, None]
        assert (cache.hits, cache.misses) == (hits, misses)


HEADER, COOKIE = CredentialPlace(header="x-token"), CredentialPlace(cookie="token")


def test_token_digest_includes_the_place() -> None:
    """The same token in `Authorization`, in another header and in a cookie, of whatever name, are several."""
    assert token_digest("abc") == sha256(b"abc").digest()
    places = (None, HEADER, COOKIE, CredentialPlace(header="x-other"), CredentialPlace(cookie="x-token"))
    assert len({token_digest("abc", place) for place in places}) == 5
    assert token_digest("abc", HEADER) == token_digest("abc", CredentialPlace(header="x-token"))


@pytest.mark.parametrize("value", ["eabc x-token", "eabc header x-token", "eabc token", "eabc\x00x-token"])
def test_nothing_that_follows_a_token_stands_for_its_place(value: str) -> None:
    """A caller writes what follows `Bearer`, and begins it as a token does; no place is found by that."""
    assert token_digest(value) not in {token_digest("eabc", HEADER), token_digest("eabc", COOKIE)}


def test_lone_surrogate_is_not_a_token() -> None:
    """It has no octets to be remembered by."""
    with pytest.raises(AuthError) as refused:
        token_digest("e\ud800")
    assert refused.value.refusal is Refusal.TOKEN_MALFORMED


@pytest.mark.parametrize(("payload", "estimated"), [(b"", 700), (b"{}", 712), (b'{"a":"b","c":1}', 700 + 15 * 6)])
def test_entry_size_is_estimated_from_its_claims(payload: bytes, estimated: int) -> None:
    """So much for the entry, and for each octet of what it was written as."""
    assert estimated_bytes(payload) == estimated
