"""Tokens that count once: by what they are known, for how long, and what a verifier says of a use that it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiocache import SimpleMemoryCache

from bearward import AuthError, ConfigurationError, Principal, Refusal, TrustedIssuer, Verifier
from bearward.dpop import LocalReplays, SharedReplays
from bearward.dpop.proof import Proof
from bearward.events import Refused, Verified
from bearward.single_use import use_of
from bearward.testing import LocalIssuer, MovableClock
from tests.conftest import Run
from tests.single_use_cases import AUDIENCE, ROWS, core, minted, trust


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Whose tokens count once."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as running:
        yield running


def memory_of_a_fleet() -> SharedReplays:
    """As several servers share it, here in one process."""
    return SharedReplays(cache=SimpleMemoryCache(), on_failure="refuse", cache_secret=bytes(range(32)))


@pytest.mark.parametrize("shared", [False, True], ids=["in one process", "in a store"])
def test_token_counts_once(issuer: LocalIssuer, shared: bool) -> None:
    """By its `jti`, whatever else it says; a use that was refused for another reason is none.

    Each answer is one event, which says whose token it was.
    """
    events: list[Any] = []
    memory = memory_of_a_fleet() if shared else None
    with core(Verifier(trust(issuer), replays=memory, observers=[events.append])) as ask:
        for name, rows in ROWS.items():
            sent: dict[str, str] = {}
            for expected, claims in rows:
                token = sent.setdefault(repr(claims), minted(issuer, claims))
                assert ask(token) == expected, name
    decided = [event for event in events if isinstance(event, Verified | Refused)]
    assert [getattr(event, "code", "ok") for event in decided] == [code for rows in ROWS.values() for code, _ in rows]
    assert {event.issuer for event in decided} == {issuer.url}


def test_same_jti_of_another_issuer_is_another_token(issuer: LocalIssuer) -> None:
    """Identifiers are unique for their issuer (RFC 7519 section 4.1.7)."""
    with (
        LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as other,
        core(Verifier(trust(issuer), trust(other))) as ask,
    ):
        assert [ask(one.mint(jti="same")) for one in (issuer, other, issuer)] == ["ok", "ok", "token_replayed"]


@pytest.mark.parametrize("seconds", [0, 31])
def test_token_that_was_good_before_it_had_to_count_once_counts_once(
    issuer: LocalIssuer, seconds: float, run: Run
) -> None:
    """New settings hold for what is remembered, too: its next use is its only one."""
    clock = MovableClock(issuer.now())
    before = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    verifier = Verifier(before, clock=clock)
    with core(verifier) as ask:
        token = issuer.mint(expires_in=600)
        assert [ask(token) for _ in range(3)] == ["ok"] * 3
        run(verifier.replace_issuers(trust(issuer)))
        clock.advance(seconds)
        assert [ask(token) for _ in range(3)] == ["ok", "token_replayed", "token_replayed"]


def test_use_is_known_by_issuer_and_jti() -> None:
    """Whatever characters JSON can write; a `jti` has one to 512 of them."""
    policy = TrustedIssuer("i", audience=AUDIENCE, jwks_uri="https://i.example/jwks", single_use=True, sender="bearer")

    def known_by(issuer: str, identifier: str) -> tuple[str, str]:
        claims = {"iss": issuer, "jti": identifier, "exp": 100}
        use = use_of(Principal(claims, key_thumbprint="k"), policy, 0.0)
        return use.jkt, use.jti

    assert len({known_by(issuer, "a") for issuer in ("i", "\ud800", "\udfff")}) == 3
    assert known_by("i", "x" * 512)[1] == "x" * 512
    for identifier in ("", "x" * 513):
        with pytest.raises(AuthError) as refused:
            known_by("i", identifier)
        assert (refused.value.refusal, refused.value.claim) == (Refusal.CLAIM_MALFORMED, "jti")


class Recording(LocalReplays):
    """A memory of one's own, which keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Proof] = []

    def record_now(self, proof: Proof, now: float) -> None:
        """Keep it."""
        self.told.append(proof)


def test_memory_of_one_s_own_is_told_when_a_token_was_used(issuer: LocalIssuer) -> None:
    """And until when it has to be remembered."""
    memory, clock = Recording(), MovableClock(issuer.now())
    with core(Verifier(trust(issuer, leeway=30.0), replays=memory, clock=clock)) as ask:
        clock.advance(5)
        assert ask(issuer.mint(exp=clock.now() + 60)) == "ok"
    (use,) = memory.told
    assert (use.issued_at, use.expires_at) == (clock.now(), clock.now() + 90)


def test_memory_that_is_full_lets_nobody_in(issuer: LocalIssuer) -> None:
    """It forgets no use to remember another, and says when there may be room again."""
    verifier = Verifier(trust(issuer), replays=LocalReplays(max_proofs=2))
    with core(verifier) as ask:
        first, second, third = (issuer.mint() for _ in range(3))
        assert [ask(one) for one in (first, second)] == ["ok", "ok"]
        with pytest.raises(AuthError) as refused:
            verifier.verify_now(third)
        assert (refused.value.refusal, refused.value.retry_after) == (Refusal.REPLAY_UNAVAILABLE, 4.0)
        assert ask(first) == "token_replayed"


def test_use_is_remembered_until_the_token_has_expired(issuer: LocalIssuer) -> None:
    """The leeway included; then it is refused as expired, and needs no memory."""
    clock = MovableClock(issuer.now())
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, clock=clock) as own:
        verifier = Verifier(trust(own, leeway=30.0), clock=clock)
        with core(verifier) as ask:
            token = own.mint(expires_in=60)
            codes = []
            for seconds in (0, 59, 20, 9, 3):
                clock.advance(seconds)
                codes.append(ask(token))
            assert codes == ["ok", "token_replayed", "token_replayed", "token_replayed", "token_expired"]
            clock.advance(60)
            assert ask(own.mint()) == "ok"
            assert len(verifier.replays) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"sender": "any"}, {"sender": "constrained"}, {"unsafe_allow_no_expiry": True}, {"single_use": "yes"}]
)
def test_single_use_that_could_not_hold_is_refused(settings: dict[str, Any]) -> None:
    """A proof that is asked for anew would use the token up, and what never ends would be remembered for ever."""
    given: dict[str, Any] = {"single_use": True, "sender": "bearer", **settings}
    with pytest.raises(ConfigurationError, match="single_use"):
        TrustedIssuer("https://login.example", audience=AUDIENCE, **given)
