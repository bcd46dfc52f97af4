"""The memory of verified tokens never changes a verdict, whatever happens between two looks.

A state machine moves time, changes keys and revokes; each verdict is compared with that of the way that remembers
nothing, and with a naive model that knows only what was published, what was revoked, and the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, note
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from bearward import AuthError, JWKSOptions, KeysNeededError, Revocations, TrustedIssuer, Verifier
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.entry import Entry
from bearward.testing import json_octets, sign_segments
from tests.properties import fixtures
from tests.properties.profiles import examples

LEEWAY = 2.0
MAX_AGE = 50.0
KEYS = 3
_numbers = st.integers(0, KEYS - 1)
_subjects = st.sampled_from(["ada", "bob"])
_sessions = st.sampled_from([None, "s1", "s2"])


@dataclass(frozen=True)
class Minted:
    """A token, and what the model needs of it."""

    text: str
    claims: dict[str, Any]
    thumbprint: str


class RememberedTokens(RuleBasedStateMachine):
    """A verifier with a small memory, and the naive model beside it."""

    tokens = Bundle("tokens")

    @initialize(size=st.sampled_from([4_000, 12_000, 1 << 20]))
    def begin(self, size: int) -> None:
        self.clock = fixtures.FakeClock()
        self.revocations = Revocations()
        policy = TrustedIssuer(
            fixtures.ISSUER,
            audience=fixtures.AUDIENCE,
            jwks_uri="https://login.example/jwks",
            leeway=LEEWAY,
            future_leeway=0.0,
            max_token_age=MAX_AGE,
            jwks_options=JWKSOptions(max_age=100, stale_if_error=0),
        )
        self.verifier = Verifier(policy, token_cache_bytes=size, clock=self.clock, revocations=self.revocations)
        self.keys = self.verifier._issuers.known(fixtures.ISSUER)[1]
        self.published: set[str] = set()
        self.fresh_until = 0.0
        self.fetched_at = 0.0
        self.revoked: list[tuple[str, str, float]] = []
        self.minted = self.looks = 0
        self.all_tokens: list[Minted] = []
        self.publish([0, 1])

    @rule(number=_numbers, target=tokens, subject=_subjects, session=_sessions, data=st.data())
    def mint(self, number: int, subject: str, session: str | None, data: st.DataObject) -> Minted:
        self.minted += 1
        issued = self.clock.time + data.draw(st.sampled_from([-40.0, -10.0, 0.0, 0.5, 3.0]))
        claims = {
            "iss": fixtures.ISSUER,
            "aud": fixtures.AUDIENCE,
            "sub": subject,
            "iat": issued,
            "jti": f"t-{self.minted}",
        }
        claims["exp"] = self.clock.time + data.draw(st.sampled_from([-3.0, 1.0, 10.0, 45.0, 45.0, 200.0]))
        if data.draw(st.integers(0, 2)) == 0:
            claims["nbf"] = self.clock.time + data.draw(st.sampled_from([-1.0, 1.0, 20.0]))
        if session is not None:
            claims["sid"] = session
        if data.draw(st.integers(0, 2)) == 0:
            claims["cnf"] = {"jkt": "x"}
        key = fixtures.key("EdDSA", number)
        text = sign_segments(json_octets({"alg": "EdDSA", "kid": key.kid}), json_octets(claims), key)
        self.all_tokens.append(Minted(text, claims, key.thumbprint))
        return self.all_tokens[-1]

    @rule(numbers=st.lists(_numbers, min_size=1, max_size=4))
    def publish(self, numbers: list[int]) -> None:
        """A rotation, a withdrawal, the same set once more, or the same in another order."""
        document = json_octets({"keys": [fixtures.key("EdDSA", number).public_jwk() for number in numbers]})
        # As a refresh does it: what is asked for later is newer, whatever was done to the wall clock meanwhile.
        self.fetched_at = max(self.clock.time, self.fetched_at + 0.001)
        self.keys.accept(Entry(JWKSet.parse(document), document, self.fetched_at, 100.0))
        self.published = {fixtures.key("EdDSA", number).thumbprint for number in numbers}
        self.fresh_until = self.clock.monotonic() + 100.0

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 1.0, 2.0, 9.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(seconds=st.sampled_from([1.0, 5.0]))
    def set_the_wall_clock_back(self, seconds: float) -> None:
        """A time server may do that; the monotonic clock goes on."""
        self.clock.time -= seconds
        self.clock.set_back += seconds

    @rule(token=tokens, edge=st.sampled_from(["exp", "nbf", "iat", "age"]), off=st.sampled_from([-0.25, 0.0, 0.25]))
    def wait_for_an_edge(self, token: Minted, edge: str, off: float) -> None:
        """To the very moment at which a token begins or ceases to be good, or just beside it."""
        claims = token.claims
        moment = {
            "exp": claims["exp"] + LEEWAY,
            "age": claims["iat"] + MAX_AGE + LEEWAY,
            "nbf": claims.get("nbf", 0.0) - LEEWAY,
            "iat": claims["iat"] - LEEWAY,
        }[edge]
        assume(moment + off > self.clock.time)
        self.clock.time = moment + off

    @rule(
        token=tokens, kind=st.sampled_from(["jti", "jti", "sub", "sid", "key"]), back=st.sampled_from([0.0, 10.0, -5.0])
    )
    def revoke(self, token: Minted, kind: str, back: float) -> None:
        """A token, its subject, its session or its key."""
        before = self.clock.time - back
        if kind == "jti":
            before = float("inf")
            self.revocations.revoke_token(fixtures.ISSUER, token.claims["jti"], until=token.claims["exp"] + LEEWAY)
        elif kind == "key":
            before = float("inf")
            self.revocations.revoke_key(fixtures.ISSUER, token.thumbprint)
        elif kind == "sub":
            self.revocations.revoke_subject(fixtures.ISSUER, token.claims["sub"], before=before)
        else:
            assume("sid" in token.claims)
            self.revocations.revoke_session(fixtures.ISSUER, token.claims["sid"], before=before)
        name = token.thumbprint if kind == "key" else token.claims[kind]
        self.revoked.append((kind, name, before))

    @rule()
    def forget(self) -> None:
        self.revocations.prune(self.clock.time)

    @invariant()
    def every_verdict_is_the_right_one(self) -> None:
        """Half of the tokens are presented all the time, so that they are remembered when something happens."""
        for number, token in enumerate(self.all_tokens):
            if number % 2 == 0:
                self.looks += 1
                self.judge_one(token, allow_bound=self.looks % 3 == 0)

    @rule(token=tokens, allow_bound=st.booleans())
    def judge(self, token: Minted, allow_bound: bool) -> None:
        """The others only now and then."""
        self.judge_one(token, allow_bound=allow_bound)

    def judge_one(self, token: Minted, *, allow_bound: bool) -> None:
        """The same by memory, without memory, and by the model."""
        remembered = self.outcome(token, allow_bound)
        anew = self.outcome_anew(token, allow_bound)
        note(f"{token.claims} at {self.clock.time}: {remembered}, anew {anew}")
        assert remembered == anew
        assert (remembered == token.claims) == self.expected(token, allow_bound)

    @invariant()
    def the_memory_is_bounded(self) -> None:
        """However many tokens came."""
        cache = self.verifier._cache
        assert cache is not None
        assert sum(entry.cost for entry in (*cache._young.values(), *cache._old.values())) <= 2 * cache._young_limit

    def outcome(self, token: Minted, allow_bound: bool) -> object:
        try:
            return self.verifier.verify_now(token.text, unsafe_allow_bound=allow_bound).to_dict()
        except AuthError as error:
            return error.refusal
        except KeysNeededError:
            return KeysNeededError

    def outcome_anew(self, token: Minted, allow_bound: bool) -> object:
        """The same verifier, robbed of its memory for a moment."""
        memory, self.verifier._cache = self.verifier._cache, None
        try:
            return self.outcome(token, allow_bound)
        finally:
            self.verifier._cache = memory

    def expected(self, token: Minted, allow_bound: bool) -> bool:
        """Whether the token is good, as one would say it without any cleverness."""
        now, claims = self.clock.time, token.claims
        begins = max(claims["iat"], claims.get("nbf", 0.0)) - LEEWAY
        ends = min(claims["exp"], claims["iat"] + MAX_AGE) + LEEWAY
        in_time = begins <= now < ends and self.clock.monotonic() < self.fresh_until
        held = {"jti": claims["jti"], "key": token.thumbprint, "sub": claims["sub"], "sid": claims.get("sid")}
        revoked = any(held[kind] == name and claims["iat"] < before for kind, name, before in self.revoked)
        return in_time and token.thumbprint in self.published and not revoked and (allow_bound or "cnf" not in claims)


RememberedTokens.TestCase.settings = examples(60)
TestRememberedTokens = RememberedTokens.TestCase
