"""Revocation in process: what each kind concerns, that nothing slips through, and that memory is bounded."""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import threading
from hashlib import sha256
from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, Principal, Refusal, Revocations
from bearward.revocation.entry import Revocation
from bearward.revocation.local import short_name
from tests.core.fake_clock import FakeClock

ISSUER = "https://login.example"
NOW = FakeClock().now()


def who(**claims: Any) -> Principal:
    """A principal whose token was verified."""
    good = {"iss": ISSUER, "sub": "ada", "jti": "t1", "sid": "s1", "iat": NOW - 10, "exp": NOW + 300}
    kept = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return Principal.from_verified_claims(kept, "k1")


def is_revoked(revocations: Revocations, principal: Principal) -> bool:
    """Whether the principal's token is refused; for no other reason than this one."""
    try:
        revocations.check(principal)
    except AuthError as error:
        assert error.refusal is Refusal.TOKEN_REVOKED
        return True
    return False


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        ("jti", "t1", {"jti": "t2"}),
        ("sub", "ada", {"sub": "bob"}),
        ("sid", "s1", {"sid": "s2"}),
        ("jti", "t1", {"jti": None}),
        ("sid", "s1", {"sid": None}),
        ("sub", "ada", {"iss": "https://other.example"}),
        ("jti", "t1", {"iss": "https://other.example"}),
        ("key", "k1", {"iss": "https://other.example"}),
        ("sub", "t1", {}),
        ("jti", "ada", {}),
        ("sid", "ada", {}),
        ("key", "t1", {}),
    ],
)
def test_a_revocation_concerns_its_own_kind_name_and_issuer(kind: str, name: str, other: dict[str, Any]) -> None:
    """A `jti` that is spelt like a revoked subject is another thing, and so is the same name of another issuer."""
    revocations = Revocations(clock=FakeClock())
    revocations.add([Revocation(kind, ISSUER, name, NOW, NOW + 300)])
    assert not is_revoked(revocations, who(**other))
    assert is_revoked(revocations, who()) == bool(other)


@pytest.mark.parametrize(("issued", "revoked"), [(-1, True), (0, False), (1, False), (None, True), (0.5, False)])
def test_a_cut_off_spares_what_was_issued_at_it_or_later(issued: float | None, revoked: bool) -> None:
    """Who logs in anew after a log-out is let in; a token without `iat` cannot show that it is newer."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert is_revoked(revocations, who(iat=None if issued is None else NOW + issued)) == revoked
    sessions = Revocations(clock=FakeClock())
    sessions.revoke_session(ISSUER, "s1", before=NOW)
    assert is_revoked(sessions, who(iat=None if issued is None else NOW + issued)) == revoked


def test_a_token_and_a_key_are_revoked_whenever_the_token_was_issued() -> None:
    """A `jti` and a key have no cut-off."""
    for revoke, name in (("revoke_token", "t1"), ("revoke_key", "k1")):
        revocations = Revocations(clock=FakeClock())
        getattr(revocations, revoke)(ISSUER, name, until=NOW + 300)
        assert is_revoked(revocations, who(iat=NOW + 200))


def test_an_entry_is_only_ever_made_stricter() -> None:
    """An earlier cut-off, or a shorter life, that comes later changes nothing, and no revision."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW, until=NOW + 900)
    revision = revocations.revision
    revocations.revoke_subject(ISSUER, "ada", before=NOW - 100, until=NOW + 10)
    assert revocations.revision == revision
    revocations.forget(NOW + 700)
    assert is_revoked(revocations, who(iat=NOW - 1))


def test_an_entry_outlives_its_tokens_by_ten_minutes_and_no_more() -> None:
    """`until` is the token's `exp`; a policy may grant 300 seconds of leeway, and wall clocks are set back."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_token(ISSUER, "t1", until=NOW)
    revocations.forget(NOW + 599)
    assert is_revoked(revocations, who())
    revocations.forget(NOW + 600)
    assert not is_revoked(revocations, who())
    assert len(revocations) == 0


def test_a_name_of_any_length_costs_the_same() -> None:
    """What an issuer puts into `jti` does not set the size of an entry."""
    revocations = Revocations(clock=FakeClock())
    long = "x" * 10_000
    revocations.revoke_token(ISSUER, long, until=NOW + 300)
    assert is_revoked(revocations, who(jti=long))
    assert not is_revoked(revocations, who(jti=long[:-1]))
    assert max(len(entry.name) for entry in revocations.living()) <= 128


def test_a_long_name_is_kept_as_its_digest() -> None:
    """A fleet shares entries by these names, so they are a contract; also those that no UTF-8 can hold."""
    assert short_name("x" * 128) == "x" * 128
    for long in ("x" * 129, "\ud800" * 129):
        assert short_name(long) == "sha256:" + sha256(long.encode("utf-8", "surrogatepass")).hexdigest()


def test_a_full_list_still_takes_what_makes_a_known_entry_stricter() -> None:
    """It needs no room."""
    revocations = Revocations(clock=FakeClock(), max_entries=2)
    for name in ("ada", "bob"):
        revocations.revoke_subject(ISSUER, name, before=NOW - 20)
    assert not is_revoked(revocations, who(iat=NOW - 10))
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert is_revoked(revocations, who(iat=NOW - 10))


def test_the_list_tidies_itself_and_refuses_to_outgrow_its_bound() -> None:
    """Entries of dead tokens make room; where all may still matter, revoking fails loudly instead of forgetting."""
    clock = FakeClock()
    revocations = Revocations(clock=clock, max_entries=2000)
    for number in range(2000):
        revocations.revoke_token(ISSUER, f"t{number}", until=clock.now() + 10)
    with pytest.raises(ConfigurationError, match="revocations"):
        revocations.revoke_token(ISSUER, "one more", until=clock.now() + 10)
    assert is_revoked(revocations, who(jti="t0"))
    clock.forward(611)
    revocations.revoke_token(ISSUER, "one more", until=clock.now() + 10)
    assert len(revocations) == 1


def test_memory_follows_what_lives_without_being_asked() -> None:
    """A service that revokes all the time, and never calls `forget`, holds at most about twice what matters."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    for number in range(20_000):
        revocations.revoke_token(ISSUER, f"t{number}", until=clock.now() + 1)
        clock.forward(1)
    assert len(revocations) <= 2048


def test_memory_is_at_most_twice_what_lives_whatever_lives() -> None:
    """The list tidies itself again as soon as it has doubled."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    for number in range(1500):
        revocations.revoke_token(ISSUER, f"living {number}", until=clock.now() + 1e6)
    clock.forward(700)
    most = 0
    for number in range(4000):
        revocations.revoke_token(ISSUER, f"dead {number}", until=0)
        most = max(most, len(revocations))
    assert 2048 <= most <= 3001


def test_listeners_are_told_of_each_change_until_they_stop() -> None:
    """After the entry is in force, once a change; stopping twice is harmless."""
    revocations = Revocations(clock=FakeClock())
    told: list[int] = []
    stop = revocations.on_change(lambda: told.append(len(revocations)))
    revocations.revoke_token(ISSUER, "t1", until=NOW)
    revocations.add([Revocation("jti", ISSUER, f"t{number}", NOW, NOW) for number in range(10, 20)])
    stop()
    stop()
    revocations.revoke_token(ISSUER, "t99", until=NOW)
    assert told == [1, 11]


def test_threads_may_revoke_and_forget_at_once() -> None:
    """No revocation is lost, whatever else happens at the same time."""
    revocations = Revocations(clock=FakeClock())

    def revoke(worker: int) -> None:
        for number in range(500):
            revocations.revoke_token(ISSUER, f"{worker}-{number}", until=NOW + 300)
            revocations.forget(NOW)

    threads = [threading.Thread(target=revoke, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(revocations) == 4000
    assert revocations.revision == 4000


def test_the_list_shows_no_names() -> None:
    """Neither in a `repr` nor on the health page."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert "ada" not in f"{revocations!r} {revocations} {revocations.health()}"
    assert revocations.health() == "1 entries, in this process only"
