"""The verifier: what it decides at once, when it fetches, and its cache of verified tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from bearward import (
    AuthError,
    ConfigurationError,
    JWKSOptions,
    KeysNeededError,
    Principal,
    Refusal,
    Revocations,
    SymmetricKey,
    TrustedIssuer,
    Verifier,
)
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only tests move."""
    return FakeClock(1_000_000.0)


def trusting(issuer: LocalIssuer, **options: float) -> TrustedIssuer:
    """A policy for `issuer`, with options of the JWKS store."""
    return TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(**options))  # type: ignore[arg-type]


def refusal_of(verifier: Verifier, token: str) -> Refusal:
    """How `token` is refused at once."""
    with pytest.raises(AuthError) as refused:
        verifier.verify_now(token)
    return refused.value.refusal


def test_verify_now_needs_no_event_loop_once_keys_are_held(issuer: LocalIssuer, run: Run) -> None:
    """`verify_now` needs no event loop once keys are held."""

    async def started() -> Verifier:
        verifier = Verifier(trusting(issuer))
        await verifier.start()
        await eventually(lambda: verifier.ready, "the keys")
        return verifier

    verifier = run(started())
    assert verifier.verify_now(issuer.mint(sub="ada")).subject == "ada"


def test_verify_now_without_keys_raises_keys_needed(issuer: LocalIssuer, run: Run) -> None:
    """Before the first fetch a token that could be good is answered by `KeysNeededError`, and `verify` fetches once."""

    async def use() -> None:
        verifier = Verifier(trusting(issuer))
        with pytest.raises(KeysNeededError):
            verifier.verify_now(issuer.mint())
        tokens = [issuer.mint(sub=str(n)) for n in range(50)]
        principals = await asyncio.gather(*map(verifier.verify, tokens))
        assert [p.subject for p in principals] == [str(n) for n in range(50)]
        await verifier.aclose()

    run(use())
    assert issuer.requests("/jwks") == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"expires_in": -1.0}, Refusal.TOKEN_EXPIRED),
        ({"aud": "https://other.example"}, Refusal.KEYS_UNAVAILABLE),
        ({"without": ("exp",)}, Refusal.KEYS_UNAVAILABLE),
        ({"iss": "https://unknown.example"}, Refusal.ISSUER_UNTRUSTED),
        ({"headers": {"typ": "logout+jwt"}}, Refusal.TOKEN_TYPE_NOT_ALLOWED),
        ({"alg": "none"}, Refusal.ALGORITHM_NOT_ALLOWED),
    ],
)
def test_keys_are_fetched_only_if_claims_pass(
    issuer: LocalIssuer, run: Run, change: dict[str, object], refusal: Refusal
) -> None:
    """A token that no key could make good causes no request, while no keys are held and later."""

    async def use() -> tuple[Refusal, float | None]:
        verifier = Verifier(trusting(issuer))
        with pytest.raises(AuthError) as refused:
            await verifier.verify(issuer.mint(**change))  # type: ignore[arg-type]
        await verifier.aclose()
        return refused.value.refusal, refused.value.retry_after

    assert run(use()) == (refusal, 1.0 if refusal is Refusal.KEYS_UNAVAILABLE else None)
    assert issuer.requests() == 0


@pytest.mark.parametrize("change", [{"aud": "https://other.example"}, {"expires_in": -1.0}])
def test_unknown_kid_causes_a_fetch_only_if_claims_pass(
    issuer: LocalIssuer, run: Run, change: dict[str, object]
) -> None:
    """A token for another audience, or one that has expired, causes no refresh, whatever key it names."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=0.0)) as verifier:
            await verifier.verify(issuer.mint())
            asked = issuer.requests("/jwks")
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(kid="unknown", **change))  # type: ignore[arg-type]
            assert issuer.requests("/jwks") == asked
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(kid="unknown"))
            assert issuer.requests("/jwks") == asked + 1

    run(use())


def test_key_replaced_under_the_same_kid_is_found(issuer: LocalIssuer, run: Run) -> None:
    """A bad signature is looked into once per cooldown, however many there are, and only if the claims pass."""
    clock = FakeClock(time.time())

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=5.0), clock=clock) as verifier:
            kid = issuer.keys.jwks()["keys"][0]["kid"]
            await verifier.verify(issuer.mint())
            with LocalIssuer(algorithms=["ES256"]) as other:

                async def refused(**change: object) -> int:
                    token = other.mint(kid=kid, iss=issuer.url, **change)  # type: ignore[arg-type]
                    with pytest.raises(AuthError) as error:
                        await verifier.verify(token)
                    assert error.value.refusal is Refusal.SIGNATURE_INVALID
                    return issuer.requests("/jwks")

                assert await refused() == 1  # they were fetched just now
                clock.forward(5.0)
                assert await refused(aud="https://other.example") == 1
                assert [await refused() for _ in range(20)] == [2] * 20
                issuer.serve_jwks({"keys": [{**other.keys.jwks()["keys"][0], "kid": kid}]})
                clock.forward(5.0)
                token = other.mint(kid=kid, iss=issuer.url, sub="ada")
                assert (await verifier.verify(token)).subject == "ada"
                assert issuer.requests("/jwks") == 3
                with pytest.raises(AuthError):  # the key that was replaced
                    await verifier.verify(issuer.mint())

    run(use())


class RevokedMeanwhile(Revocations):
    """Another thread revokes the token right after it was checked."""

    armed = False

    def check(self, principal: Principal) -> None:
        """As ever, and then it is too late for this check."""
        super().check(principal)
        if self.armed:
            self.armed = False
            self.revoke_token(principal.issuer, principal.claims["jti"], until=principal.expires_at)


@pytest.mark.parametrize("cached", [False, True])
def test_revocation_during_a_check_is_noticed_by_the_next(cached: bool, issuer: LocalIssuer) -> None:
    """Whether the token was verified then or only checked again: what is remembered is as old as the check."""
    revocations = RevokedMeanwhile()
    policy = TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks())
    verifier, token = Verifier(policy, revocations=revocations), issuer.mint(jti="t1")
    if cached:
        verifier.verify_now(token)
        verifier.verify_now(token)
        revocations.invalidate_caches()
    revocations.armed = True
    verifier.verify_now(token)
    with pytest.raises(AuthError) as refused:
        verifier.verify_now(token)
    assert refused.value.refusal is Refusal.TOKEN_REVOKED


def test_flood_of_bad_signatures_delays_no_rotation(issuer: LocalIssuer, run: Run) -> None:
    """Whatever it costs in fetches, a good token of a new key is accepted at once, time after time."""
    clock = FakeClock(time.time())

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=5.0, burst=1), clock=clock) as verifier:
            await verifier.verify(issuer.mint())
            with LocalIssuer(algorithms=["ES256"]) as other:
                for _ in range(3):
                    clock.forward(5.0)
                    kids = [key["kid"] for key in issuer.keys.jwks()["keys"]]
                    forged = [other.mint(kid=kid, iss=issuer.url) for kid in kids] * 10
                    results = await asyncio.gather(*map(verifier.verify, forged), return_exceptions=True)
                    assert {isinstance(one, AuthError) and one.refusal for one in results} == {
                        Refusal.SIGNATURE_INVALID
                    }
                    issuer.rotate()
                    assert (await verifier.verify(issuer.mint(sub="ada"))).subject == "ada"
            assert issuer.requests("/jwks") == 1 + 3 * 2

    run(use())


def test_while_the_issuer_is_down_forged_tokens_are_refused_alike(issuer: LocalIssuer, run: Run) -> None:
    """Nothing of a refusal, not even when to try again, says whether audience and claims were right."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=3600.0)) as verifier:
            refusals = []
            for change in ({}, {"aud": "https://other.example"}, {"without": ("exp",)}):
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(issuer.mint(**change))
                refusals.append((refused.value.refusal, round(refused.value.retry_after or 0.0)))
            assert refusals[0][0] is Refusal.KEYS_UNAVAILABLE
            assert len(set(refusals)) == 1

    issuer.down()
    run(use())


def test_unreachable_issuer_gives_keys_unavailable(issuer: LocalIssuer, run: Run) -> None:
    """With no keys held and the issuer down, a good token is answered by KEYS_UNAVAILABLE and when to try again."""

    async def use() -> AuthError:
        verifier = Verifier(trusting(issuer))
        token = issuer.mint()
        issuer.down()
        with pytest.raises(AuthError) as refused:
            await verifier.verify(token)
        await verifier.aclose()
        return refused.value

    refused = run(use())
    assert refused.refusal is Refusal.KEYS_UNAVAILABLE
    assert refused.retry_after is not None
    assert refused.retry_after > 0


def test_rotated_keys_are_found_and_withdrawn_ones_refused(issuer: LocalIssuer, run: Run) -> None:
    """An unknown `kid` causes one refresh; a token of a withdrawn key is refused even if it was verified before."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=0.0)) as verifier:
            before = issuer.mint()
            old = issuer.key()
            await verifier.verify(before)
            issuer.rotate()
            assert (await verifier.verify(issuer.mint(sub="new"))).subject == "new"
            verifier.verify_now(before)
            issuer.withdraw(old)
            issuer.rotate()
            await verifier.verify(issuer.mint())
            with pytest.raises(AuthError) as refused:
                await verifier.verify(before)
            assert refused.value.refusal is Refusal.KEY_UNKNOWN

    run(use())


def test_unknown_kid_is_refused_at_once_after_one_refresh(issuer: LocalIssuer, run: Run) -> None:
    """However many unknown kids come within a cooldown, the issuer is asked within the burst."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=3600.0)) as verifier:
            asked = issuer.requests("/jwks")
            for n in range(100):
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(issuer.mint(kid=f"unknown-{n}"))
                assert refused.value.refusal is Refusal.KEY_UNKNOWN
            assert issuer.requests("/jwks") - asked <= 2
            verifier.verify_now(issuer.mint())

    run(use())


def test_known_unknown_kid_causes_no_fetch(issuer: LocalIssuer, run: Run) -> None:
    """While it is remembered as unknown; another one is worth a look of its own."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=0.0)) as verifier:
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(kid="unknown"))
            assert refusal_of(verifier, issuer.mint(kid="unknown")) is Refusal.KEY_UNKNOWN
            with pytest.raises(KeysNeededError):
                verifier.verify_now(issuer.mint(kid="another"))

    run(use())


def test_cached_token_is_checked_against_the_clock_on_every_hit() -> None:
    """A token that was verified before is refused from the second in which it expires."""
    clock = FakeClock(1_000_000.0)
    issuer = LocalIssuer(algorithms=["ES256"], clock=clock)
    verifier = Verifier(_static(issuer), clock=clock)
    token = issuer.mint(expires_in=60)
    assert verifier.verify_now(token) is verifier.verify_now(token)
    clock.forward(59.0)
    verifier.verify_now(token)
    clock.forward(1.0)
    assert refusal_of(verifier, token) is Refusal.TOKEN_EXPIRED


def test_cached_token_is_refused_as_soon_as_it_is_revoked() -> None:
    """Revocation reaches tokens that were verified before."""
    issuer = LocalIssuer(algorithms=["ES256"])
    revocations = Revocations()
    verifier = Verifier(_static(issuer), revocations=revocations)
    token, other = issuer.mint(), issuer.mint()
    principal = verifier.verify_now(token)
    verifier.verify_now(other)
    assert principal.token_id is not None
    revocations.revoke_token(principal.issuer, principal.token_id, until=principal.expires_at)
    assert refusal_of(verifier, token) is Refusal.TOKEN_REVOKED
    verifier.verify_now(other)


def test_cached_entry_ends_with_its_token() -> None:
    """It is valid until its token expires or is revoked; a bound token has none at all."""
    clock = FakeClock(1_000_000.0)
    issuer = LocalIssuer(algorithms=["ES256"], clock=clock)
    verifier = Verifier(_static(issuer), clock=clock)
    token, other, bound = issuer.mint(expires_in=20), issuer.mint(sub="ada"), issuer.mint(cnf={"x5t#S256": "A" * 43})
    assert verifier.cached_entry(token) is None
    for seen in (token, other):
        verifier.verify_now(seen)
    verifier.verify_now(bound, unsafe_allow_bound=True)
    assert verifier.cached_entry(bound) is None
    short, long = verifier.cached_entry(token), verifier.cached_entry(other)
    assert short is not None
    assert long is not None
    assert short.principal is verifier.verify_now(token)
    clock.forward(20.0)
    assert (verifier.is_still_valid(short), verifier.is_still_valid(long)) == (False, True)
    verifier.revocations.revoke_subject(issuer.url, "ada", before=clock.now())
    assert not verifier.is_still_valid(long)


def test_cached_entry_is_rechecked_after_half_a_minute(clock: FakeClock) -> None:
    """Counted from when it was judged, however often it is used; a clock that was set back has it judged at once."""
    issuer = LocalIssuer(algorithms=["ES256"], clock=clock)
    verifier = Verifier(_static(issuer), clock=clock)
    token = issuer.mint(expires_in=3600)
    principal = verifier.verify_now(token)
    first = verifier.cached_entry(token)
    for _ in range(3):
        assert first is not None
        for _ in range(29):
            clock.forward(1.0)
            assert verifier.verify_now(token) is principal
            assert verifier.is_still_valid(first)
        clock.forward(1.0)
        assert not verifier.is_still_valid(first)
        assert verifier.verify_now(token) is principal  # checked again, and not verified again
        first = verifier.cached_entry(token)
        assert first is not None
        assert verifier.is_still_valid(first)
    clock.forward(-1.0)
    assert first is not None
    assert not verifier.is_still_valid(first)
    assert verifier.verify_now(token) is principal


def test_only_accepted_tokens_are_cached() -> None:
    """A refused token leaves nothing behind; `token_cache=0` keeps none at all."""
    issuer = LocalIssuer(algorithms=["ES256"])
    verifier = Verifier(_static(issuer))
    refusal_of(verifier, issuer.mint(expires_in=-1))
    assert verifier.health().cached_tokens == 0
    verifier.verify_now(issuer.mint())
    assert verifier.health().cached_tokens == 1
    without = Verifier(_static(issuer), token_cache_bytes=0)
    token = issuer.mint()
    assert without.verify_now(token) is not without.verify_now(token)
    assert without.health().cached_tokens == 0


def test_unchanged_refresh_keeps_cached_tokens(issuer: LocalIssuer, run: Run) -> None:
    """The same keys fetched again do not make every token a first one."""

    async def use() -> None:
        async with Verifier(trusting(issuer, cooldown=0.0)) as verifier:
            token = issuer.mint()
            principal = await verifier.verify(token)
            with pytest.raises(AuthError):
                await verifier.verify(issuer.mint(kid="unknown"))
            assert issuer.requests("/jwks") == 2
            assert verifier.verify_now(token) is principal

    run(use())


def test_token_bound_to_a_key_is_refused_as_bearer_token() -> None:
    """A token with `cnf` passes only where the caller says that it checks the binding, cached or not."""
    issuer = LocalIssuer(algorithms=["ES256"])
    verifier = Verifier(_static(issuer))
    token = issuer.mint(cnf={"x5t#S256": "A" * 43})
    assert refusal_of(verifier, token) is Refusal.TOKEN_SENDER_CONSTRAINED
    verifier.verify_now(token, unsafe_allow_bound=True)
    assert refusal_of(verifier, token) is Refusal.TOKEN_SENDER_CONSTRAINED


def test_symmetric_issuer_needs_no_fetch() -> None:
    """A configured secret verifies HS256, and the same secret as a public key's text does not."""
    secret = b"0123456789abcdef0123456789abcdef"
    issuer = LocalIssuer(algorithms=["ES256"], identifier="https://own.example")
    verifier = Verifier(TrustedIssuer("https://own.example", audience=AUDIENCE, symmetric_keys=[SymmetricKey(secret)]))
    assert verifier.verify_now(issuer.mint(key=secret, kid=None)).subject == "subject"
    assert refusal_of(verifier, issuer.mint(key=b"x" * 32, kid=None)) is Refusal.SIGNATURE_INVALID
    assert refusal_of(verifier, issuer.mint()) is Refusal.ALGORITHM_NOT_ALLOWED


def test_verifier_may_be_closed_and_started_again_on_another_loop(issuer: LocalIssuer, run: Run) -> None:
    """Nothing of a closed verifier hangs on the loop that it was started on."""
    verifier = Verifier(trusting(issuer))

    async def use() -> None:
        async with verifier:
            await verifier.verify(issuer.mint())

    for _ in range(3):
        run(use())


@pytest.mark.parametrize("token_cache", [-1, 1.5, True, "16"])
def test_invalid_token_cache_bytes_is_refused(token_cache: object) -> None:
    """`token_cache` is a number of bytes."""
    issuer = LocalIssuer(algorithms=["ES256"])
    with pytest.raises(ConfigurationError, match="token_cache"):
        Verifier(_static(issuer), token_cache_bytes=token_cache)  # type: ignore[arg-type]


def test_verifier_repr_shows_no_token_or_claim() -> None:
    """`repr` helps an operator and gives nothing away."""
    issuer = LocalIssuer(algorithms=["ES256"])
    verifier = Verifier(_static(issuer))
    token = issuer.mint(sub="ada", email="ada@example.com")
    principal = verifier.verify_now(token)
    shown = f"{verifier!r} {verifier.health()!r} {verifier.health()} {principal!r} {verifier.revocations!r}"
    for secret in ("ada", token, token.split(".")[2]):
        assert secret not in shown


def _static(issuer: LocalIssuer) -> TrustedIssuer:
    return TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())


def test_health_lists_each_issuer() -> None:
    """As text it is for operators; as a dict it is for a readiness page."""
    issuer = LocalIssuer(algorithms=["ES256"], identifier="https://one.example")
    health = Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())).health()
    assert str(health).splitlines()[0] == "ready"
    assert str(health).splitlines()[1].startswith("https://one.example: fresh, generation 1, 1 key")
    assert health.to_dict()["issuers"][0]["thumbprint"] == health.issuers[0].thumbprint


def test_verifiers_own_revocations_use_its_clock(issuer: LocalIssuer) -> None:
    """One notion of now for expiry and revocation."""
    clock = FakeClock()
    assert Verifier(trusting(issuer), clock=clock).revocations._clock is clock
