"""Trust that has ended ends everywhere: a verifier with all its memories, against a model that remembers nothing.

Issuers by configuration, by tenant template and by a resolver; tokens in the cache, on persistent connections and in live
streams; keys that rotate, policies that change, revocations; a clock that goes forward, is set, and is suspended. Whatever
happens in whatever order, no decision is one that the model has not come to within the stated bound:

* at once: expiry, and revocation;
* half a minute (`RECHECK_INTERVAL`) after that: a live stream, whose watch goes by timers;
* once they were loaded: an issuer's other keys, for a token that is presented; `KEY_BOUND` after they were published, for
  a tenant, of which the model does not know when its keys were loaded;
* `BOUND`: a resolver's other answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bearward import (
    AuthError,
    JWKSOptions,
    Principal,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
    Watch,
    same_caller,
)
from bearward.fetch.caching import Validators
from bearward.jwks.source import Loaded
from bearward.recheck import RECHECK_INTERVAL
from bearward.testing import json_octets, sign_segments
from bearward.token_cache import CacheEntry
from tests.core.skipping_loop import SkippingLoop
from tests.properties import fixtures
from tests.properties.profiles import examples

T = TypeVar("T")

FIXED, SOURCED, LISTED = "https://fixed.example", "https://sourced.example", "https://listed.example"
TENANTS = ("https://blue.tenants.example", "https://green.tenants.example")
ISSUERS = (FIXED, SOURCED, LISTED, *TENANTS)
BOUND = 300.0 + 60.0 + RECHECK_INTERVAL + 10.0
"""Seconds: a resolver's answer is kept for five minutes, given for one more while it is asked again, and believed for half
a minute by those who have just been judged; ten for the asking itself."""
MAX_AGE = 60.0
"""Seconds for which a key set is held."""
TICK = 10.0
"""Seconds between two looks of the model."""
KEY_BOUND = MAX_AGE + TICK
CLOCK_LEAD = 6.0
"""Seconds about `iat` in which the policy's leeway decides, which is not this model's subject."""


TYPED = "typed"
"""The terms on which a token must say that it is an access token (RFC 9068); else terms are the audience."""


@dataclass(frozen=True)
class Token:
    """What was minted."""

    issuer: str
    text: str
    key: int
    typ: str | None
    claims: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Truth:
    """How things are: on which terms each issuer of the resolver is trusted, if it is, and which keys are published."""

    terms: tuple[tuple[str, str | None], ...] = ((SOURCED, "api"), (LISTED, "api"))
    keys: tuple[tuple[str, tuple[int, ...]], ...] = ((FIXED, (0,)), (SOURCED, (0,)), (LISTED, (0,)), (TENANTS[0], (0,)))

    def trusts(self, issuer: str) -> str | None:
        """What is asked for; None if the issuer is not trusted."""
        return dict(self.terms).get(issuer, "api")

    def published(self, issuer: str) -> tuple[int, ...]:
        """The numbers of the issuer's keys; all tenants share theirs."""
        return dict(self.keys)[TENANTS[0] if issuer in TENANTS else issuer]


class Published:
    """A source that returns what is published now."""

    local = True

    def __init__(self, machine: Remembering, issuer: str) -> None:
        self.machine, self.issuer = machine, issuer

    async def load(self, client: object, known: Validators | None) -> Loaded:
        """The document."""
        numbers = self.machine.loaded[self.issuer] = self.machine.truth.published(self.issuer)
        return Loaded(json.dumps(jwks(numbers)).encode(), None, None)


def jwks(numbers: tuple[int, ...]) -> dict[str, Any]:
    """A JWK Set."""
    return {"keys": [fixtures.key("EdDSA", number).public_jwk() for number in numbers]}


@dataclass
class Stream:
    """A live call: whose token it goes on under, and whether it was told of the end."""

    token: Token
    principal: Principal
    watch: Watch | None = None
    ended: bool = False
    refusable_since: float | None = None
    """The loop's time since when the model would accept the token in none of the truths within the bound."""


class Remembering(RuleBasedStateMachine):
    """The verifier with its memories, and the model beside it."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.loop = SkippingLoop()
        self.runner = asyncio.Runner(loop_factory=lambda: self.loop)
        self.truth = Truth()
        self.past: list[tuple[float, Truth]] = []  # until when it was so, by the monotonic clock
        self.loaded: dict[str, tuple[int, ...]] = {}
        """By issuer: the keys that the verifier loaded last."""
        self.revoked: set[str] = set()
        self.minted: list[Token] = []
        self.kept: list[tuple[Token, CacheEntry]] = []
        self.streams: list[Stream] = []
        self.wrong: list[str] = []
        options = {issuer: self.options(issuer) for issuer in (FIXED, SOURCED, TENANTS[0])}
        self.sourced = TrustedIssuer(SOURCED, audience="api", jwks_options=options[SOURCED])
        self.verifier = Verifier(
            TrustedIssuer(FIXED, audience="api", jwks_options=options[FIXED]),
            TenantIssuers(
                "https://{tenant}.tenants.example", audience="api", max_tenants=1, jwks_options=options[TENANTS[0]]
            ),
            self.resolve,
            clock=self.loop,
            token_cache_bytes=1 << 14,
        )
        self.run(self.verifier.start())

    def options(self, issuer: str) -> JWKSOptions:
        """Keys that are fresh for a minute, from memory."""
        return JWKSOptions(sources=(Published(self, issuer),), max_age=MAX_AGE, min_age=1.0, cooldown=0.0)

    def teardown(self) -> None:
        """Nothing is left behind."""
        self.run(self.verifier.aclose())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the one loop."""
        return self.runner.run(work)

    async def resolve(self, issuer: str) -> TrustedIssuer | None:
        """The resolver: the truth of this moment."""
        terms = dict(self.truth.terms).get(issuer)
        if terms is None:
            return None
        trusted = self.sourced
        if issuer == LISTED:
            trusted = TrustedIssuer(LISTED, audience="api", jwks=jwks(self.truth.published(LISTED)))
        return replace(trusted, token_types=["at+jwt"]) if terms == TYPED else replace(trusted, audience=terms)

    # The model --------------------------------------------------------------------------------------------------------

    def accepts(self, token: Token, truth: Truth) -> bool:
        """What a verifier without any memory would decide about the token at this moment."""
        terms = truth.trusts(token.issuer)
        return (
            (token.claims["aud"] == "api" and token.typ == "at+jwt" if terms == TYPED else token.claims["aud"] == terms)
            and token.key in truth.published(token.issuer)
            and token.claims["jti"] not in self.revoked
            and token.claims["iat"] <= self.loop.wall < token.claims["exp"]
        )

    def decisions(self, token: Token) -> set[bool]:
        """What it would have decided in any of the truths within the bound."""
        terms = {truth.terms for truth in self.truths(BOUND)}
        keys = self.keys(token.issuer)
        decided = {self.accepts(token, Truth(one, other)) for one in terms for other in keys}
        if abs(self.loop.wall - token.claims["iat"]) <= CLOCK_LEAD and token.claims["iat"] > self.loop.wall:
            decided |= {True, False}
        return decided

    def keys(self, issuer: str) -> set[tuple[tuple[str, tuple[int, ...]], ...]]:
        """The published keys by which the verifier may go."""
        if issuer in (FIXED, SOURCED) and issuer in self.loaded:
            return {self.truth.keys, tuple({**dict(self.truth.keys), issuer: self.loaded[issuer]}.items())}
        return {truth.keys for truth in self.truths(BOUND if issuer == LISTED else KEY_BOUND)}

    def truths(self, bound: float) -> list[Truth]:
        """Those of the last `bound` seconds."""
        since = self.loop.monotonic() - bound
        return [truth for until, truth in self.past if until >= since] + [self.truth]

    def becomes(self, truth: Truth) -> None:
        """`truth` holds from now on."""
        self.past.append((self.loop.monotonic(), self.truth))
        self.truth = truth

    # What happens -----------------------------------------------------------------------------------------------------

    @initialize(target=tokens)
    def first(self) -> Any:
        """One good token of each issuer, to begin with."""
        return multiple(*(self.mint(issuer, 0, 1_000_000, "ada", "app", "api") for issuer in ISSUERS))

    @rule(
        target=tokens,
        issuer=st.sampled_from(ISSUERS),
        key=st.sampled_from([0, 0, 1, 2]),
        lifetime=st.sampled_from([60, 3600, 1_000_000]),
        subject=st.sampled_from(["ada", "ada", "eve", ""]),
        client=st.sampled_from(["app", "app", "web"]),
        audience=st.sampled_from(["api", "api", "api", "other"]),
        typ=st.sampled_from([None, None, "at+jwt"]),
    )
    def mint(
        self, issuer: str, key: int, lifetime: int, subject: str, client: str, audience: str, typ: str | None = None
    ) -> Token:
        """Any issuer signs anything, with keys that it publishes and with others."""
        now = int(self.loop.wall)
        claims = {"iss": issuer, "aud": audience, "sub": subject, "client_id": client, "iat": now - 10}
        claims |= {"exp": now + lifetime, "jti": str(len(self.minted))}
        signer = fixtures.key("EdDSA", key)
        header = {"alg": "EdDSA", "kid": signer.kid} | ({} if typ is None else {"typ": typ})
        token = Token(issuer, sign_segments(json_octets(header), json_octets(claims), signer), key, typ, claims)
        for other in self.minted:
            one, two = (Principal(each.claims, key_thumbprint="k") for each in (token, other))
            assert same_caller(one, two) is same_caller(two, one) is the_same(token, other)
        self.minted.append(token)
        return token

    @rule(token=tokens)
    def present(self, token: Token) -> None:
        """A request."""
        accepted = self.run(self.outcome(token)) is not None
        assert accepted in self.decisions(token), f"{'accepted' if accepted else 'refused'}: {token.claims}"

    async def outcome(self, token: Token) -> Principal | None:
        """The verifier's decision, after what runs in the background has run."""
        await settle()
        try:
            return await self.verifier.verify(token.text)
        except AuthError:
            return None

    @rule(token=tokens)
    def keep(self, token: Token) -> None:
        """A connection that remembers what the verifier remembers of its token."""
        entry = self.verifier.cached_entry(token.text)
        if entry is not None:
            self.kept.append((token, entry))

    @rule(token=tokens)
    def begin(self, token: Token) -> None:
        """A stream begins."""
        principal = self.run(self.outcome(token))
        if principal is not None:
            stream = Stream(token, principal)
            stream.watch = self.run(self.watched(stream))
            self.streams.append(stream)

    async def watched(self, stream: Stream) -> Watch:
        """A watch, whose end must be one that the model has come to."""

        def on_end(error: AuthError) -> None:
            stream.ended = True
            if False not in self.decisions(stream.token):
                self.wrong.append(f"ended by {error.code}: {stream.token.claims}")

        return self.verifier.watch(stream.principal, on_end)

    @rule(token=tokens, number=st.integers(0, 9))
    def reauthenticate(self, token: Token, number: int) -> None:
        """A stream goes on under a newer token of the same caller, and of nobody else."""
        live = [stream for stream in self.streams if not stream.ended]
        principal = self.run(self.outcome(token))
        if not live or principal is None:
            return
        stream = live[number % len(live)]
        same = the_same(stream.token, token)
        assert same_caller(stream.principal, principal) is same
        if same:
            self.go_on(stream, token, principal)

    def go_on(self, stream: Stream, token: Token, principal: Principal) -> None:
        """The stream's token is this one from now on."""
        if stream.watch is not None:
            stream.token, stream.principal, stream.refusable_since = token, principal, None
            self.run(self.extended(stream.watch, principal))

    async def extended(self, watch: Watch, principal: Principal) -> None:
        """On the loop."""
        watch.extend(principal)
        await settle()

    @rule(issuer=st.sampled_from([SOURCED, LISTED]), terms=st.sampled_from([None, "api", "other", TYPED]))
    def resolver_changes(self, issuer: str, terms: str | None) -> None:
        """A customer is removed, comes back, or is trusted on other terms."""
        self.becomes(replace(self.truth, terms=tuple({**dict(self.truth.terms), issuer: terms}.items())))

    @rule(
        issuer=st.sampled_from([FIXED, SOURCED, LISTED, TENANTS[0]]),
        numbers=st.sampled_from([(0,), (1,), (0, 1), (1, 2), (2,)]),
    )
    def rotate(self, issuer: str, numbers: tuple[int, ...]) -> None:
        """An issuer publishes other keys."""
        self.becomes(replace(self.truth, keys=tuple({**dict(self.truth.keys), issuer: numbers}.items())))

    @rule(token=tokens)
    def revoke(self, token: Token) -> None:
        """It holds at once, however well the token is remembered, and for streams too."""
        self.present(token)
        self.keep(token)
        self.revoked.add(token.claims["jti"])
        self.verifier.revocations.revoke_token(token.issuer, token.claims["jti"], until=token.claims["exp"])
        self.run(settle())
        self.present(token)
        assert all(stream.ended for stream in self.streams if stream.token == token), "a revoked stream goes on"

    # Time -------------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 29.0, 31.0, 61.0, 200.0, 500.0, 500.0]), busy=st.booleans(), token=tokens)
    def pass_time(self, seconds: float, busy: bool, token: Token) -> None:
        """Time goes on; one token may be used all the while."""
        until = self.loop.passed + seconds
        while self.loop.passed < until:
            self.run(asyncio.sleep(min(TICK, until - self.loop.passed)))
            self.look_at_streams()
            if busy:
                self.present(token)

    @rule(
        issuer=st.sampled_from([SOURCED, LISTED]),
        terms=st.sampled_from([None, "other", TYPED]),
        how=st.sampled_from(["busy", "busy", "busy beside a stream", "idle", "asleep"]),
    )
    def wait_after_a_change(self, issuer: str, terms: str | None, how: str) -> None:
        """Longer than the bound, with one token in use, or with a stream alone to ask, after a sleep or without one."""
        self.present(token := self.good(issuer))
        self.keep(token)
        if how != "busy":
            self.begin(token)
        self.resolver_changes(issuer, terms)
        if how == "asleep":
            self.suspend(1000.0)
        self.pass_time(BOUND + 2 * RECHECK_INTERVAL, how.startswith("busy"), token)

    @rule(
        issuer=st.sampled_from([SOURCED, FIXED, *TENANTS]),
        others=st.sampled_from([(1,), (2,), (1, 2)]),
        how=st.sampled_from(["busy", "busy", "idle", "asleep", "evicted"]),
    )
    def wait_after_a_rotation(self, issuer: str, others: tuple[int, ...], how: str) -> None:
        """The same, where an issuer withdraws a key, and may have been pushed out by another tenant before."""
        source, key = TENANTS[0] if issuer in TENANTS else issuer, self.truth.published(issuer)[0]
        numbers = tuple((key + other) % 3 for other in others)
        self.present(token := self.good(issuer, key))
        self.keep(token)
        self.begin(token)
        if how == "evicted":
            for tenant in TENANTS:
                self.present(self.good(tenant) if tenant != issuer else token)
        self.rotate(source, numbers)
        if how == "asleep":
            self.suspend(1000.0)
        self.pass_time(BOUND + 2 * RECHECK_INTERVAL, how == "busy", token)

    def good(self, issuer: str, key: int = 0) -> Token:
        """A token that lives long."""
        return cast("Token", self.mint(issuer, key, 1_000_000, "ada", "app", "api"))

    @rule(issuer=st.sampled_from(ISSUERS))
    def outlive_in_band(self, issuer: str) -> None:
        """A stream goes on under a newer token when its first one expires, and ends with the newer one."""
        first, newer = self.mint(issuer, 0, 60, "ada", "app", "api"), self.good(issuer)
        self.begin(first)
        principal = self.run(self.outcome(newer))
        stream = self.streams[-1] if self.streams and self.streams[-1].token is first else None
        if stream is None or stream.ended or principal is None:
            return
        self.go_on(stream, newer, principal)
        self.pass_time(100.0, False, newer)
        self.revoke(newer)

    @rule(issuer=st.sampled_from(ISSUERS))
    def outlive(self, issuer: str) -> None:
        """A token is in use until it expires, and a little longer."""
        self.pass_time(61.0, True, self.mint(issuer, 0, 60, "ada", "app", "api"))

    @rule(seconds=st.sampled_from([-4000.0, -100.0, -20.0, 20.0, 100.0, 4000.0]))
    def set_clock(self, seconds: float) -> None:
        """A time server, or an operator, sets the wall clock."""
        self.loop.wall += seconds

    @rule(seconds=st.sampled_from([45.0, 1000.0, 100_000.0]))
    def suspend(self, seconds: float) -> None:
        """The machine sleeps, and its timers with it."""
        self.loop.suspend(seconds)

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def kept_connections_are_right(self) -> None:
        """Whatever is still called valid is what the model would accept."""
        for token, entry in self.kept:
            if self.verifier.is_still_valid(entry):
                assert True in self.decisions(token), f"a kept connection goes on: {token.claims}"

    @invariant()
    def look_at_streams(self) -> None:
        """None lives longer than half a minute, by the loop's own time, after the model would have ended it."""
        assert self.wrong == []
        for stream in self.streams:
            if stream.ended or True in self.decisions(stream.token):
                stream.refusable_since = None
            elif stream.refusable_since is None:
                stream.refusable_since = self.loop.passed
            late = 0.0 if stream.refusable_since is None else self.loop.passed - stream.refusable_since
            assert late <= RECHECK_INTERVAL + TICK, f"a stream goes on: {stream.token.claims}"


def the_same(one: Token, other: Token) -> bool:
    """Whether both are one caller's."""
    return bool(one.claims["sub"]) and all(
        one.claims[name] == other.claims[name] for name in ("iss", "sub", "client_id")
    )


async def settle() -> None:
    """Let what runs in the background run."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_trust_that_ended_is_not_remembered() -> None:
    """Whatever happens, and in whatever order."""
    run_state_machine_as_test(Remembering, settings=settings(examples(60), stateful_step_count=30))
