"""Revocation in process: what each kind concerns, that nothing slips through, and that memory is bounded."""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import threading
from hashlib import sha256
from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, Principal, Refusal, Revocations
from bearward.claim_names import ClaimNames
from bearward.revocation.entry import FOREVER, Revocation, bounded_name
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
def test_revocation_matches_kind_name_and_issuer(kind: str, name: str, other: dict[str, Any]) -> None:
    """A `jti` that is spelt like a revoked subject is another thing, and so is the same name of another issuer."""
    revocations = Revocations(clock=FakeClock())
    revocations.add([Revocation(kind, ISSUER, name, NOW, NOW + 300)])
    assert not is_revoked(revocations, who(**other))
    assert is_revoked(revocations, who()) == bool(other)


@pytest.mark.parametrize(("issued", "revoked"), [(-1, True), (0, False), (1, False), (None, True), (0.5, False)])
@pytest.mark.parametrize("kind", ["sub", "sid"])
def test_cut_off_keeps_tokens_issued_at_it_or_later(kind: str, issued: float | None, revoked: bool) -> None:
    """Whoever logs in anew after a log-out is admitted; a token without `iat` cannot prove that it is newer."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    revocations.add([Revocation(kind, ISSUER, "ada" if kind == "sub" else "s1", NOW, FOREVER)])
    clock.forward(2)
    assert is_revoked(revocations, who(iat=None if issued is None else NOW + issued)) == revoked


@pytest.mark.parametrize(
    ("ahead", "issued", "revoked"),
    [(20, 20, True), (19.5, 19.5, True), (20, 21, False), (0, 1, False), (0, 0.5, False)],
)
def test_cut_off_covers_an_issuer_whose_clock_is_ahead(ahead: float, issued: float, revoked: bool) -> None:
    """A token from our future was admitted by the leeway: "before now" is by the issuer's clock then, in whole seconds."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    revocations.check(who(iat=NOW + ahead, sub="somebody else"))
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    clock.forward(60)
    assert is_revoked(revocations, who(iat=NOW + issued)) == revoked
    assert not is_revoked(revocations, who(iat=NOW + issued, iss="https://other.example"))


def test_issuer_clock_ahead_moves_existing_cut_offs() -> None:
    """A token that is met only after its subject was revoked is refused too; by less than five minutes, the longest leeway."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    revocations.revoke_subject("https://other.example", "eve", before=NOW)
    revocations.revoke_token(ISSUER, "without a cut-off", until=NOW + 300)
    told: list[Any] = []
    revocations.on_change(told.append)
    assert is_revoked(revocations, who(iat=NOW + 1))
    assert [[entry.name for entry in changed] for changed in told] == [["ada"]]
    assert is_revoked(revocations, who(iat=NOW + 1))
    assert len(told) == 1
    for set_back in (300, 1e6, 1e300):  # no leeway lets such a token in: it is our own clock that was set back
        assert not is_revoked(revocations, who(iat=NOW + set_back))
    assert is_revoked(revocations, who(iat=NOW + 299))


def test_how_far_a_clock_was_ahead_is_remembered_for_a_day() -> None:
    """Longer than tokens live; and as long as new tokens say so."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    revocations.revoke_subject(ISSUER, "ada", before=NOW + 86_400.0)
    for _ in range(2):
        revocations.check(who(iat=clock.now() + 20, sub="bob"))
        clock.forward(80_000)
    revocations.prune(clock.now())
    assert is_revoked(revocations, who(iat=NOW + 86_400.0 + 20))
    clock.forward(86_400)
    revocations.prune(clock.now())
    assert not is_revoked(revocations, who(iat=NOW + 86_400.0 + 20))


def test_issuer_that_stays_ahead_changes_nothing_anew() -> None:
    """Else each of its tokens would have every cached verification checked again."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    revocations.check(who(iat=NOW + 20))
    revision = revocations.revision
    for ahead in (20, 5, 20.5):
        clock.forward(60)
        revocations.check(who(iat=clock.now() + ahead))
    assert revocations.revision == revision


def test_full_list_still_records_an_issuer_clock_ahead() -> None:
    """Checking a token raises nothing but `AuthError`, however full the list is."""
    revocations = Revocations(clock=FakeClock(), max_entries=1)
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert is_revoked(revocations, who(iat=NOW + 1))


def test_jti_and_key_revocations_have_no_cut_off() -> None:
    """A `jti` and a key have no cut-off."""
    for revoke, name in (("revoke_token", "t1"), ("revoke_key", "k1")):
        revocations = Revocations(clock=FakeClock())
        getattr(revocations, revoke)(ISSUER, name, until=NOW + 300)
        assert is_revoked(revocations, who(iat=NOW + 200))


def test_entries_only_become_stricter() -> None:
    """An earlier cut-off, or a shorter life, that comes later changes nothing, and no revision."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW, until=NOW + 900)
    revision = revocations.revision
    revocations.revoke_subject(ISSUER, "ada", before=NOW - 100, until=NOW + 10)
    assert revocations.revision == revision
    revocations.prune(NOW + 700)
    assert is_revoked(revocations, who(iat=NOW - 1))


def test_entries_are_kept_ten_minutes_beyond_until() -> None:
    """`until` is the token's `exp`; a policy may grant 300 seconds of leeway, and wall clocks are set back."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_token(ISSUER, "t1", until=NOW)
    revocations.prune(NOW + 599)
    assert is_revoked(revocations, who())
    revocations.prune(NOW + 600)
    assert not is_revoked(revocations, who())
    assert len(revocations) == 0


def test_long_names_have_bounded_size() -> None:
    """What an issuer puts into `jti` does not set the size of an entry."""
    revocations = Revocations(clock=FakeClock())
    long = "x" * 10_000
    revocations.revoke_token(ISSUER, long, until=NOW + 300)
    assert is_revoked(revocations, who(jti=long))
    assert not is_revoked(revocations, who(jti=long[:-1]))
    assert max(len(entry.name) for entry in revocations.entries()) <= 128


def test_long_name_is_stored_as_its_digest() -> None:
    """A fleet shares entries by these names, so they are a contract; also those that no UTF-8 can hold."""
    assert bounded_name("x" * 128) == "x" * 128
    for long in ("x" * 129, "\ud800" * 129):
        assert bounded_name(long) == "sha256:" + sha256(long.encode("utf-8", "surrogatepass")).hexdigest()


def test_full_list_accepts_stricter_entries() -> None:
    """It needs no room."""
    revocations = Revocations(clock=FakeClock(), max_entries=2)
    for name in ("ada", "bob"):
        revocations.revoke_subject(ISSUER, name, before=NOW - 20)
    assert not is_revoked(revocations, who(iat=NOW - 10))
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert is_revoked(revocations, who(iat=NOW - 10))


def test_list_prunes_itself_and_refuses_to_exceed_its_bound() -> None:
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


def test_expired_entries_are_pruned_without_being_asked() -> None:
    """A service that revokes all the time, and never calls `forget`, holds at most about twice what matters."""
    clock = FakeClock()
    revocations = Revocations(clock=clock)
    for number in range(20_000):
        revocations.revoke_token(ISSUER, f"t{number}", until=clock.now() + 1)
        clock.forward(1)
    assert len(revocations) <= 2048


def test_list_is_at_most_twice_its_live_entries() -> None:
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


def test_listeners_are_called_per_change_until_removed() -> None:
    """Once a change, with the entries that it brought and after they are in force; removing twice is harmless."""
    revocations = Revocations(clock=FakeClock())
    told: list[tuple[int, Any]] = []
    stop = revocations.on_change(lambda changed: told.append((len(revocations), changed)))
    revocations.revoke_token(ISSUER, "t1", until=NOW)
    batch = tuple(Revocation("jti", ISSUER, f"t{number}", NOW, NOW) for number in range(1, 20))
    revocations.add([Revocation("jti", ISSUER, "t1", FOREVER, NOW), *batch[1:]])
    revocations.invalidate_caches()
    stop()
    stop()
    revocations.revoke_token(ISSUER, "t99", until=NOW)
    assert told == [(1, (Revocation("jti", ISSUER, "t1", FOREVER, NOW),)), (19, batch[1:]), (19, None)]


def test_failed_batch_announces_the_entries_it_added() -> None:
    """The entries before the invalid one are in force, so cached verifications must be checked again."""
    revocations = Revocations(clock=FakeClock())
    told: list[Any] = []
    revocations.on_change(told.append)
    good = Revocation("jti", ISSUER, "t1", FOREVER, NOW)
    with pytest.raises(ConfigurationError, match="until"):
        revocations.add([good, good._replace(name="t2", until=float("nan")), good._replace(name="t3")])
    assert is_revoked(revocations, who())
    assert revocations.revision == 1
    assert told == [(good,)]


def test_threads_may_revoke_and_prune_concurrently() -> None:
    """No revocation is lost, whatever else happens at the same time."""
    revocations = Revocations(clock=FakeClock())

    def revoke(worker: int) -> None:
        for number in range(500):
            revocations.revoke_token(ISSUER, f"{worker}-{number}", until=NOW + 300)
            revocations.prune(NOW)

    threads = [threading.Thread(target=revoke, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(revocations) == 4000
    assert revocations.revision == 4000


def test_list_in_process_is_always_available() -> None:
    """Also while it is empty: a verifier that was given one uses it."""
    revocations = Revocations()
    assert revocations
    assert revocations.available is True
    assert revocations.lag is None


def test_repr_and_health_show_no_names() -> None:
    """Neither in a `repr` nor on the health page."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_subject(ISSUER, "ada", before=NOW)
    assert "ada" not in f"{revocations!r} {revocations} {revocations.health()}"
    assert revocations.health() == "1 entries, in this process only"


def test_permanent_revocation_is_never_dropped() -> None:
    """A key, a subject and a session without `until`."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_key("https://login.example", "k1")
    revocations.revoke_subject("https://login.example", "ada", before=NOW)
    revocations.revoke_session("https://login.example", "s", before=NOW)
    revocations.prune(NOW * 1000)
    assert len(revocations) == 3


def test_subject_is_revoked_by_the_claim_that_names_it() -> None:
    """Where an issuer names its callers by another claim, a revocation of that name concerns them; so does `sub`."""
    claims = {"iss": ISSUER, "sub": "pairwise", "oid": "690222be", "iat": NOW - 10, "exp": NOW + 300}
    principal = Principal(claims, key_thumbprint="k1", claim_names=ClaimNames(subject=("oid",)))
    for name, revoked in (("690222be", True), ("pairwise", True), ("ada", False)):
        revocations = Revocations(clock=FakeClock())
        revocations.revoke_subject(ISSUER, name, before=NOW, until=NOW + 300)
        assert is_revoked(revocations, principal) is revoked
