"""What a verification rested on is checked again as a whole: tokens in memory, persistent connections and live streams alike.

Each reason on its own, by its own table; then what is promised of all of them: half a minute, and one place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bearward import AuthError, JWKSOptions, Principal, Refusal, Revocations, TenantIssuers, TrustedIssuer, Verifier
from bearward.issuers import resolvers
from bearward.jose.compact import parse_compact
from bearward.jwks import Loaded
from bearward.recheck import REASONS, RECHECK_INTERVAL, Standing, recheck, seconds_left
from bearward.testing import LocalIssuer, SigningKey
from bearward.verification import verify_token
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.tokens import ISSUER, KEY, NOW, POLICY, key_set, token_of

HELD = key_set(KEY.public_jwk())
REVOKED = Revocations()
REVOKED.revoke_token(ISSUER, "revoked", until=NOW + 1000)
STANDING = Standing(POLICY, HELD, REVOKED.check, NOW)
OTHER = SigningKey.generate("ES256", kid="other")

ENDED: dict[str, tuple[dict[str, Any], dict[str, Any], Refusal]] = {
    "algorithm": ({}, {"policy": replace(POLICY, algorithms=["RS256"])}, Refusal.ALGORITHM_NOT_ALLOWED),
    "type": ({}, {"policy": replace(POLICY, token_types=["at+jwt"])}, Refusal.TOKEN_TYPE_NOT_ALLOWED),
    "expiry": ({}, {"now": NOW + 300}, Refusal.TOKEN_EXPIRED),
    "expiry and leeway": ({}, {"now": NOW + 310, "leeway": 10.0}, Refusal.TOKEN_EXPIRED),
    "age": ({"iat": NOW - 10}, {"policy": replace(POLICY, max_token_age=10.0)}, Refusal.TOKEN_TOO_OLD),
    "clock set back": ({"nbf": NOW - 100}, {"now": NOW - 110, "leeway": 500.0}, Refusal.TOKEN_NOT_YET_VALID),
    "key withdrawn": ({}, {"keys": key_set(OTHER.public_jwk())}, Refusal.KEY_WITHDRAWN),
    "key renamed": ({}, {"keys": key_set({**KEY.public_jwk(), "kid": "new"})}, Refusal.KEY_WITHDRAWN),
    "audience": ({}, {"policy": replace(POLICY, audience="other")}, Refusal.AUDIENCE_MISMATCH),
    "required claim": ({}, {"policy": replace(POLICY, required_claims=["sub"])}, Refusal.CLAIM_MISSING),
    "expected claim": ({"a": "b"}, {"policy": replace(POLICY, expected_claims={"a": "c"})}, Refusal.CLAIM_MISMATCH),
    "revoked": ({"jti": "revoked"}, {}, Refusal.TOKEN_REVOKED),
}  # fmt: skip
GOES_ON: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing has changed": ({"aud": ["api", "other"], "jti": "1"}, {}),
    "just before expiry": ({}, {"now": NOW + 299.9}),
    "within the leeway": ({}, {"now": NOW + 309.9, "leeway": 10.0}),
    "a leeway longer than the token": ({"iat": NOW - 1, "nbf": NOW - 1}, {"leeway": 5000.0}),
    "an equal policy": ({}, {"policy": replace(POLICY)}),
    "a policy that allows more": ({}, {"policy": replace(POLICY, audience=["api", "more"])}),
    "another key beside it": ({}, {"keys": key_set(OTHER.public_jwk(), KEY.public_jwk())}),
    "no keys at the moment": ({}, {"keys": None}),
    "a proven binding": ({"cnf": {"jkt": "x"}}, {}),
}


def principal_of(claims: dict[str, Any]) -> Principal:
    """A verified principal, with proof of what it is bound to."""
    return verify_token(parse_compact(token_of(KEY, **claims)), POLICY, HELD, NOW, allow_bound=True)


@pytest.mark.parametrize("name", ENDED)
def test_each_reason_ends_it(name: str) -> None:
    """With the refusal that the token would meet now."""
    claims, now, refusal = ENDED[name]
    with pytest.raises(AuthError) as refused:
        recheck(principal_of(claims), STANDING._replace(**now))
    assert refused.value.refusal is refusal


@pytest.mark.parametrize("name", GOES_ON)
def test_valid_verification_continues(name: str) -> None:
    """What would pass now passes; trouble of ours ends nothing."""
    claims, now = GOES_ON[name]
    recheck(principal_of(claims), STANDING._replace(**now))


def test_every_reason_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them, a row of the table above is let through."""
    for left_out in REASONS:
        monkeypatch.setattr("bearward.recheck.REASONS", tuple(reason for reason in REASONS if reason is not left_out))
        passed = []
        for name, (claims, now, _) in ENDED.items():
            try:
                recheck(principal_of(claims), STANDING._replace(**now))
                passed.append(name)
            except AuthError:
                pass
        assert passed, left_out


def test_principal_not_made_by_a_verification_is_checked_by_its_claims() -> None:
    """Its key by the thumbprint alone; its claims, which are frozen, as any."""
    made = Principal({"iss": ISSUER, "aud": ["api"], "exp": NOW + 1}, key_thumbprint=HELD.keys[0].thumbprint)
    recheck(made, STANDING)
    with pytest.raises(AuthError) as refused:
        recheck(made, STANDING._replace(keys=key_set(OTHER.public_jwk())))
    assert refused.value.refusal is Refusal.KEY_WITHDRAWN


LEFT: list[tuple[dict[str, Any], dict[str, Any], float]] = [
    ({}, {}, 300.0),
    ({}, {"now": NOW + 100.0, "leeway": 10.0}, 210.0),
    ({}, {"now": NOW + 400.0}, -100.0),
    ({}, {"policy": replace(POLICY, leeway=5.0), "leeway": 10.0}, 315.0),
    ({"iat": NOW - 20}, {"policy": replace(POLICY, max_token_age=60.0)}, 40.0),
]


@pytest.mark.parametrize(("claims", "now", "left"), LEFT)
def test_seconds_left_includes_the_leeways(claims: dict[str, Any], now: dict[str, Any], left: float) -> None:
    """Until the token expires or grows too old; negative after that."""
    assert seconds_left(principal_of(claims), STANDING._replace(**now)) == left


# What a resolver changes reaches all three, within the interval


class Customers:
    """A resolver whose results change, and that counts its calls."""

    def __init__(self, *policies: TrustedIssuer) -> None:
        self.policies = {policy.issuer: policy for policy in policies}
        self.asked = 0

    async def __call__(self, issuer: str) -> TrustedIssuer | None:
        self.asked += 1
        return self.policies.get(issuer)


CHANGES: dict[str, tuple[Callable[[TrustedIssuer], TrustedIssuer | None], Refusal]] = {
    "removed": (lambda _: None, Refusal.ISSUER_UNTRUSTED),
    "another audience": (lambda policy: replace(policy, audience="other"), Refusal.AUDIENCE_MISMATCH),
    "other keys": (
        lambda policy: replace(policy, jwks={"keys": [OTHER.public_jwk()]}),
        Refusal.KEY_UNKNOWN,
    ),
}
WITHIN = 300.0 + 60.0 + RECHECK_INTERVAL
"""A positive answer is kept for five minutes, and given for one more while the resolver is asked again."""


async def settle() -> None:
    """Let tasks in the background end."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("every", [1.0, 29.0, 59.0])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_resolver_result_reaches_a_busy_token(name: str, every: float, run: Run) -> None:
    """However often the token comes, and however it is remembered."""
    change, refusal = CHANGES[name]

    async def use() -> None:
        issuer, clock = LocalIssuer(algorithms=["ES256"], identifier=ISSUER), FakeClock(NOW)
        policy = TrustedIssuer(ISSUER, audience="api", jwks=issuer.keys.jwks())
        customers = Customers(policy)
        token = issuer.mint(claims={"aud": "api", "iat": NOW, "exp": NOW + 86_400})
        async with Verifier(customers, clock=clock) as verifier:
            await verifier.verify(token)
            changed = change(policy)
            customers.policies = {} if changed is None else {ISSUER: changed}
            kept = verifier.cached_entry(token)
            refused: Refusal | None = None
            while refused is None:
                assert clock.now() <= NOW + WITHIN + every
                clock.forward(every)
                await settle()
                if kept is not None and verifier.is_still_valid(kept):  # a persistent connection
                    continue
                try:
                    await verifier.verify(token)
                except AuthError as error:
                    refused = error.refusal
                kept = verifier.cached_entry(token)
            assert refused is refusal
            assert customers.asked <= 4

    run(use())


STREAM_REFUSALS = {Refusal.KEY_UNKNOWN: Refusal.KEY_WITHDRAWN}


@pytest.mark.parametrize("step", [RECHECK_INTERVAL, 1000.0], ids=["awake", "suspended"])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_resolver_result_ends_a_stream(name: str, step: float, run: Run) -> None:
    """Even if only the stream depends on it: each check of its watch requests what is out of date."""
    change, refusal = CHANGES[name]

    async def use() -> None:
        issuer, clock = LocalIssuer(algorithms=["ES256"], identifier=ISSUER), FakeClock(NOW)
        policy = TrustedIssuer(ISSUER, audience="api", jwks=issuer.keys.jwks())
        customers = Customers(policy)
        async with Verifier(customers, clock=clock) as verifier:
            token = issuer.mint(claims={"aud": "api", "iat": NOW, "exp": NOW + 86_400})
            ended: list[AuthError] = []
            watch = verifier.watch(await verifier.verify(token), ended.append)
            changed = change(policy)
            customers.policies = {} if changed is None else {ISSUER: changed}
            while not ended:
                assert clock.now() <= NOW + max(WITHIN, 2 * step)
                clock.forward(step)
                watch.look()  # as its timer does
                await settle()
            assert ended[0].refusal is STREAM_REFUSALS.get(refusal, refusal)

    run(use())


def test_invented_issuers_do_not_keep_a_stream_alive(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They push out what is remembered of others and occupy the lookups, but not a no that concerns a live call."""
    monkeypatch.setattr(resolvers, "_MAX_ENTRIES", 16)
    monkeypatch.setattr(resolvers, "_MAX_PENDING_UNKNOWN", 4)

    async def use() -> None:
        issuer, clock, known, slow = LocalIssuer(algorithms=["ES256"]), FakeClock(NOW), {ISSUER}, asyncio.Event()

        async def resolver(name: str) -> TrustedIssuer | None:
            if name.startswith("https://slow"):
                await slow.wait()
            trusted = name in known or name.startswith("https://tenant")
            return TrustedIssuer(name, audience="api", jwks=issuer.keys.jwks()) if trusted else None

        async with Verifier(resolver, clock=clock) as verifier:

            async def call(name: str) -> Principal:
                return await verifier.verify(
                    issuer.mint(claims={"iss": name, "aud": "api", "iat": NOW, "exp": NOW + 86_400})
                )

            ended: list[AuthError] = []
            watch = verifier.watch(await call(ISSUER), ended.append)
            for number in range(20):
                await call(f"https://tenant{number}.example")
            known.clear()
            waiting = [asyncio.create_task(call(f"https://slow{number}.example")) for number in range(4)]
            while not ended:
                assert clock.now() <= NOW + WITHIN
                clock.forward(RECHECK_INTERVAL)
                watch.look()
                await settle()
                for number in range(20):
                    with pytest.raises(AuthError):
                        await call(f"https://invented{number}.example")
            slow.set()
            refusals = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(refused, AuthError) for refused in refusals)
            assert ended[0].refusal is Refusal.ISSUER_UNTRUSTED

    run(use())


def test_new_settings_reach_a_stream_although_other_issuers_push_its_own_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last result about the issuer of a live call is kept, and asked for again no more often than another."""
    monkeypatch.setattr(resolvers, "_MAX_ENTRIES", 16)

    async def use() -> None:
        issuer, clock, audiences, asked = LocalIssuer(algorithms=["ES256"]), FakeClock(NOW), {ISSUER: "api"}, 0

        async def resolver(name: str) -> TrustedIssuer | None:
            nonlocal asked
            asked += name == ISSUER
            return TrustedIssuer(name, audience=audiences.get(name, "api"), jwks=issuer.keys.jwks())

        async with Verifier(resolver, clock=clock) as verifier:

            async def call(name: str) -> Principal:
                return await verifier.verify(
                    issuer.mint(claims={"iss": name, "aud": "api", "iat": NOW, "exp": NOW + 86_400})
                )

            async def pass_half_a_minute() -> None:
                clock.forward(RECHECK_INTERVAL)
                for number in range(20):
                    await call(f"https://tenant{number}.example")
                watch.look()
                await settle()

            ended: list[AuthError] = []
            watch = verifier.watch(await call(ISSUER), ended.append)
            for _ in range(20):  # ten minutes
                await pass_half_a_minute()
            assert not ended
            assert asked <= 4
            audiences[ISSUER], changed_at = "other", clock.now()
            while not ended:
                assert clock.now() <= changed_at + WITHIN
                await pass_half_a_minute()
            assert ended[0].refusal is Refusal.AUDIENCE_MISMATCH

    run(use())


def test_failing_resolver_ends_no_stream(run: Run) -> None:
    """Its trouble is ours; the stream's own token ends it all the same."""

    async def use() -> None:
        issuer, clock = LocalIssuer(algorithms=["ES256"], identifier=ISSUER), FakeClock(NOW)
        policy = TrustedIssuer(ISSUER, audience="api", jwks=issuer.keys.jwks())
        works = True

        async def resolver(_: str) -> TrustedIssuer | None:
            if not works:
                raise OSError
            return policy

        async with Verifier(resolver, clock=clock) as verifier:
            token = issuer.mint(claims={"aud": "api", "iat": NOW, "exp": NOW + 10_000})
            ended: list[AuthError] = []
            watch = verifier.watch(await verifier.verify(token), ended.append)
            works = False
            while clock.now() < NOW + 9_900:
                clock.forward(RECHECK_INTERVAL)
                watch.look()
                await settle()
                assert ended == []
            clock.forward(200.0)
            watch.look()
            assert [error.refusal for error in ended] == [Refusal.TOKEN_EXPIRED]

    run(use())


class Published:
    """A source of keys that change."""

    local = True

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = keys

    async def load(self, client: object, known: object) -> Loaded:
        """The document of this moment."""
        return Loaded(json.dumps({"keys": [key.public_jwk() for key in self.keys]}).encode())


def test_keys_of_an_evicted_tenant_are_fetched_again_for_its_streams(run: Run) -> None:
    """Nothing else may request them, and the key of the stream's token may be withdrawn."""

    async def use() -> None:
        clock, source = FakeClock(NOW), Published(KEY)
        tenants = TenantIssuers(
            "https://{tenant}.example", audience="api", jwks_options=JWKSOptions(sources=(source,), cooldown=0.0)
        )
        async with Verifier(tenants, clock=clock) as verifier:
            ended: list[AuthError] = []
            watch = verifier.watch(await verifier.verify(token_of(KEY)), ended.append)
            await settle()
            source.keys = (OTHER,)
            verifier._store.forget(ISSUER)
            for _ in range(2):
                clock.forward(RECHECK_INTERVAL)
                watch.look()
                await settle()
            assert [error.refusal for error in ended] == [Refusal.KEY_WITHDRAWN]

    run(use())
