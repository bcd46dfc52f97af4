"""The negative cache: bounded in number and in time, and forgotten when the set changes."""

from __future__ import annotations

from bearward.jwks.unknown_kids import UnknownKids


def test_kid_is_unknown_until_its_time_is_up() -> None:
    """To the moment, and not at it."""
    unknown = UnknownKids(10)
    unknown.remember_until("a", 100.0)
    assert unknown.holds("a", 99.9)
    assert not unknown.holds("a", 100.0)
    assert not unknown.holds("b", 0.0)


def test_shorter_time_does_not_replace_a_longer_one() -> None:
    """Who joined a refresh must not shorten what its initiator learned."""
    unknown = UnknownKids(10)
    unknown.remember_until("a", 100.0)
    unknown.remember_until("a", 50.0)
    assert unknown.holds("a", 99.0)


def test_absent_kid_differs_from_an_empty_one() -> None:
    """A token without `kid` is not one with an empty one."""
    unknown = UnknownKids(10)
    unknown.remember_until(None, 100.0)
    assert unknown.holds(None, 0.0)
    assert not unknown.holds("", 0.0)


def test_oldest_is_dropped_first() -> None:
    """A million names leave as many as are allowed."""
    unknown = UnknownKids(1000)
    for number in range(1_000_000):
        unknown.remember_until(str(number), 1.0)
    assert len(unknown) == 1000
    assert unknown.holds("999999", 0.0)
    assert unknown.holds("999000", 0.0)
    assert not unknown.holds("998999", 0.0)


def test_new_set_clears_unknown_kids() -> None:
    """Any name may be in the new set."""
    unknown = UnknownKids(10)
    unknown.remember_until("a", 100.0)
    unknown.clear()
    assert not unknown.holds("a", 0.0)


def test_kid_with_lone_surrogates_is_remembered() -> None:
    """JSON can smuggle lone surrogates into a string."""
    unknown = UnknownKids(10)
    unknown.remember_until("\ud800", 100.0)
    assert unknown.holds("\ud800", 0.0)
