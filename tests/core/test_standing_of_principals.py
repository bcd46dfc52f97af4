"""What a verifier says of callers that it let in before, of tokens that it remembers, and of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bearward import (
    AuthError,
    JWKSOptions,
    KeysNeededError,
    Principal,
    Refusal,
    Revocations,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
)
from bearward.credential_place import CredentialPlace
from bearward.dpop import DPoP, DPoPNonces
from bearward.jose import aws_lc
from bearward.observers import Observers
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually
from tests.core.tokens import ISSUER, KEY, NOW, token_of

KEYS = {"keys": [KEY.public_jwk()]}
STATIC = TrustedIssuer(ISSUER, audience="api", jwks=KEYS)
LIFETIME = 300.0
"""Of the tokens of `token_of`, in seconds."""


def verifier_at(clock: FakeClock, *issuers: Any, **options: Any) -> Verifier:
    """A verifier that holds its keys, and goes by `clock`."""
    return Verifier(*(issuers or (STATIC,)), clock=clock, **options)


def refusal_of(verifier: Verifier, principal: Principal, **how: float) -> Refusal | None:
    """How a caller that was let in before is refused now; None if it is not."""
    try:
        verifier.check_still_valid(principal, **how)
    except AuthError as refused:
        return refused.refusal
    return None


# Callers that were let in


def test_caller_stays_valid_until_its_token_ends() -> None:
    """And for `leeway` longer, where that is granted; by itself it is zero."""
    clock = FakeClock(NOW)
    verifier = verifier_at(clock)
    principal = verifier.verify_now(token_of(KEY))
    assert refusal_of(verifier, principal) is None
    clock.forward(LIFETIME)
    assert refusal_of(verifier, principal) is Refusal.TOKEN_EXPIRED
    assert refusal_of(verifier, principal, leeway=5.0) is None
    clock.forward(5.0)
    assert refusal_of(verifier, principal, leeway=5.0) is Refusal.TOKEN_EXPIRED


def test_time_until_expiry_is_counted_by_the_verifier_s_clock() -> None:
    """In seconds, with the leeway that is granted; negative once the token has ended."""
    clock = FakeClock(NOW)
    verifier = verifier_at(clock)
    principal = verifier.verify_now(token_of(KEY))
    assert verifier.seconds_until_expiry(principal) == LIFETIME
    clock.forward(LIFETIME + 10.0)
    assert verifier.seconds_until_expiry(principal) == -10.0
    assert verifier.seconds_until_expiry(principal, leeway=15.0) == 5.0


def test_watch_has_no_leeway_by_default(run: Run) -> None:
    """The token ends in the second of its `exp`."""

    async def use() -> None:
        clock, ended = FakeClock(NOW), list[AuthError]()
        verifier = verifier_at(clock)
        watch = verifier.watch(verifier.verify_now(token_of(KEY)), ended.append)
        clock.forward(LIFETIME)
        watch.look()
        assert [error.refusal for error in ended] == [Refusal.TOKEN_EXPIRED]

    run(use())


def test_caller_of_an_untrusted_issuer_is_refused() -> None:
    """Its issuer is trusted no longer, whatever it was before."""
    principal = verifier_at(FakeClock(NOW)).verify_now(token_of(KEY))
    elsewhere = verifier_at(FakeClock(NOW), TrustedIssuer("https://other.example", audience="api", jwks=KEYS))
    assert refusal_of(elsewhere, principal) is Refusal.ISSUER_UNTRUSTED


def test_caller_stays_valid_while_the_resolver_is_pending(run: Run) -> None:
    """Judged by the policy that let it in; a principal that no verification made has none to be judged by."""

    async def resolver(_: str) -> TrustedIssuer | None:
        raise OSError

    async def use() -> None:
        clock = FakeClock(NOW)
        principal = verifier_at(clock).verify_now(token_of(KEY))
        verifier = verifier_at(clock, resolver)
        assert refusal_of(verifier, principal) is None
        made = Principal(dict(principal.claims), key_thumbprint=principal.key_thumbprint)
        assert refusal_of(verifier, made) is Refusal.KEYS_UNAVAILABLE
        clock.forward(LIFETIME)
        assert refusal_of(verifier, principal) is Refusal.TOKEN_EXPIRED

    run(use())


SEVERAL: dict[str, tuple[tuple[TrustedIssuer, ...], dict[str, Any], CredentialPlace | None]] = {
    "by the type of the token": (
        (
            TrustedIssuer(ISSUER, audience="other", jwks=KEYS, token_types=["JWT"]),
            TrustedIssuer(ISSUER, audience="api", jwks=KEYS, token_types=["at+jwt"]),
        ),
        {"header": {"typ": "at+jwt"}},
        None,
    ),
    "by a claim": (
        (
            TrustedIssuer(ISSUER, audience="other", jwks=KEYS, expected_claims={"use": "id"}),
            TrustedIssuer(ISSUER, audience="api", jwks=KEYS, expected_claims={"use": "access"}),
        ),
        {"use": "access"},
        None,
    ),
    "by the place of the token": (
        (TrustedIssuer(ISSUER, audience="api", jwks=KEYS, place=CredentialPlace(cookie="token")),),
        {},
        CredentialPlace(cookie="token"),
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_recheck_uses_the_policy_that_admitted_the_caller(name: str) -> None:
    """Where an issuer has several: the same one is found again, for remembered tokens and for calls that go on."""
    policies, token, place = SEVERAL[name]
    clock = FakeClock(NOW)
    verifier = verifier_at(clock, *policies)
    brought = token_of(KEY, **token)
    principal = verifier.verify_now(brought, place=place)
    clock.forward(30.0)
    assert refusal_of(verifier, principal) is None
    assert verifier.verify_now(brought, place=place) is principal


# Remembered tokens


def test_only_cached_tokens_have_an_entry() -> None:
    """Not what is too long to be kept, what is no token at all, or where nothing is kept."""
    clock, token = FakeClock(NOW), token_of(KEY)
    verifier, without = verifier_at(clock), verifier_at(clock, token_cache_bytes=0)
    for each in (verifier, without):
        each.verify_now(token)
    assert verifier._cache is not None
    verifier._cache.max_token = len(token)
    assert verifier.cached_entry(token) is not None
    assert verifier.cached_entry("é") is None
    assert without.cached_entry(token) is None
    verifier._cache.max_token = len(token) - 1
    assert verifier.cached_entry(token) is None


def test_ended_token_leaves_the_cache() -> None:
    """It leaves the memory with its refusal."""
    clock, token = FakeClock(NOW), token_of(KEY)
    verifier = verifier_at(clock)
    verifier.verify_now(token)
    assert verifier.health().cached_tokens == 1
    clock.forward(LIFETIME)
    with pytest.raises(AuthError):
        verifier.verify_now(token)
    assert verifier.health().cached_tokens == 0


def test_bound_token_stays_bound_after_a_recheck() -> None:
    """RFC 7800: it is remembered for callers who check the binding, and for no other."""
    clock, token = FakeClock(NOW), token_of(KEY, cnf={"jkt": "x"})
    verifier = verifier_at(clock)
    principal = verifier.verify_now(token, unsafe_allow_bound=True)
    clock.forward(30.0)
    assert verifier.verify_now(token, unsafe_allow_bound=True) is principal
    with pytest.raises(AuthError) as refused:
        verifier.verify_now(token)
    assert refused.value.refusal is Refusal.TOKEN_SENDER_CONSTRAINED
    assert verifier.cached_entry(token) is None


def test_cached_token_is_not_accepted_without_keys(run: Run) -> None:
    """Half a minute later it is judged by the keys that are held then; where none are, they are fetched."""

    async def use(issuer: LocalIssuer) -> None:
        clock = FakeClock(NOW)
        tenants = TenantIssuers(issuer.url.replace("blue", "{tenant}"), audience="api")
        async with Verifier(tenants, clock=clock) as verifier:
            token = issuer.mint(claims={"aud": "api", "iat": NOW, "exp": NOW + 3600})
            await verifier.verify(token)
            verifier._store.forget(issuer.url)
            clock.forward(30.0)
            with pytest.raises(KeysNeededError):
                verifier.verify_now(token)
            assert (await verifier.verify(token)).issuer == issuer.url

    with LocalIssuer(algorithms=["ES256"], path="/blue") as issuer:
        run(use(issuer))


# The verifier itself


def test_verifier_gives_the_current_nonce() -> None:
    """RFC 9449 section 9: that of this moment, by the verifier's clock."""
    clock, nonces = FakeClock(NOW), DPoPNonces(b"0123456789abcdef")
    assert verifier_at(clock).dpop_nonce() is None
    assert verifier_at(clock, dpop=DPoP(origins="https://api.example")).dpop_nonce() is None
    verifier = verifier_at(clock, dpop=DPoP(origins="https://api.example", nonces=nonces))
    assert verifier.dpop_nonce() == nonces.current(NOW)


class Unavailable(Revocations):
    """A list that cannot be asked."""

    @property
    def available(self) -> bool:
        """Never."""
        return False


def test_verifier_is_ready_once_it_holds_keys() -> None:
    """Of one issuer at least, or of tenants that nobody has asked for; and only with its revocations."""
    clock = FakeClock(NOW)
    fetching = TrustedIssuer("https://down.example", audience="api")
    ready = {
        "static keys": verifier_at(clock),
        "one of two": verifier_at(clock, fetching, STATIC),
        "no keys": verifier_at(clock, fetching),
        "tenants": verifier_at(clock, TenantIssuers("https://{tenant}.example", audience="api")),
        "no revocations": verifier_at(clock, revocations=Unavailable()),
    }
    assert {name: verifier.ready for name, verifier in ready.items()} == {
        "static keys": True,
        "one of two": True,
        "no keys": False,
        "tenants": True,
        "no revocations": False,
    }
    assert verifier_at(clock).health().revocations == Revocations().health()


def test_verifier_repr_shows_its_state(run: Run) -> None:
    """Its issuers, what it remembers, and whether it was started."""

    async def use() -> None:
        verifier = verifier_at(FakeClock(NOW))
        verifier.verify_now(token_of(KEY))
        held = "<Verifier of 1 issuers, 0 templates, 0 resolvers, 1 cached tokens, 0 watches"
        assert repr(verifier) == f"{held}, not started>"
        async with verifier:
            assert repr(verifier) == f"{held}, started>"

    run(use())
    without = verifier_at(FakeClock(NOW), token_cache_bytes=0)
    assert repr(without) == (
        "<Verifier of 1 issuers, 0 templates, 0 resolvers, no token cache, 0 watches, not started>"
    )


def test_withdrawn_key_ends_a_call_as_soon_as_the_keys_have_changed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch need not wait for its own next look, which is an hour away here."""
    monkeypatch.setattr("bearward.standing.RECHECK_INTERVAL", 3600.0)

    async def use(issuer: LocalIssuer) -> None:
        policy = TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=JWKSOptions(cooldown=0.0))
        async with Verifier(policy) as verifier:
            ended: list[AuthError] = []
            verifier.watch(await verifier.verify(issuer.mint()), ended.append)
            issuer.withdraw(issuer.key())
            issuer.rotate()
            await verifier.verify(issuer.mint())
            await eventually(lambda: bool(ended), "the end of the call")
            assert [error.refusal for error in ended] == [Refusal.KEY_WITHDRAWN]

    with LocalIssuer(algorithms=["ES256"]) as issuer:
        run(use(issuer))


PLACE = CredentialPlace(header="x-token")


def test_token_that_is_verified_again_stays_in_its_place(run: Run) -> None:
    """A cached token whose key is withdrawn, or that is bound, is verified anew as one of the place where it was found."""

    async def use(issuer: LocalIssuer) -> None:
        policy = TrustedIssuer(
            issuer.url, audience=issuer.audience, jwks_options=JWKSOptions(cooldown=0.0), place=PLACE
        )
        async with Verifier(policy) as verifier:
            token, bound = issuer.mint(), issuer.mint(claims={"cnf": {"jkt": "k"}})
            await verifier.verify(token, place=PLACE)
            await verifier.verify(bound, place=PLACE, unsafe_allow_bound=True)
            with pytest.raises(AuthError) as refused:
                verifier.verify_now(bound, place=PLACE)
            assert refused.value.refusal is Refusal.TOKEN_SENDER_CONSTRAINED
            issuer.withdraw(issuer.key())
            issuer.rotate()
            await verifier.verify(issuer.mint(), place=PLACE)
            with pytest.raises(AuthError) as refused:
                await verifier.verify(token, place=PLACE)
            assert refused.value.refusal is Refusal.KEY_UNKNOWN

    with LocalIssuer(algorithms=["ES256"]) as issuer:
        run(use(issuer))


def test_entry_for_a_connection_replaces_the_cached_one() -> None:
    """A token is in the cache once, however many connections keep its entry."""
    verifier = verifier_at(FakeClock(NOW))
    verifier.verify_now(token := token_of(KEY))
    first, second = verifier.cached_entry(token), verifier.cached_entry(token)
    assert first is not None
    assert first is second
    assert verifier.health().cached_tokens == 1


# What a verifier says of itself


def test_verifier_goes_by_the_clock_that_it_is_given() -> None:
    """Both of its times: the adapters measure by the monotonic one."""
    clock = FakeClock(NOW)
    verifier = verifier_at(clock)
    assert (verifier.now(), verifier.monotonic()) == (clock.now(), clock.monotonic())


def test_lookups_are_counted_for_observers_of_requests_only() -> None:
    """Counting costs something, so without an observer that asks for `Verified` nothing is counted."""
    for observers, expected in (((lambda _: None,), (1, 1)), ((), (0, 0))):
        verifier = verifier_at(FakeClock(NOW), observers=observers)
        token = token_of(KEY)
        verifier.verify_now(token)
        verifier.verify_now(token)
        assert (verifier.token_cache.hits, verifier.token_cache.misses) == expected


def test_observer_is_given_the_verifier_whose_state_it_reads() -> None:
    """By its method `attach`, once."""
    attached: list[object] = []

    class Reading:
        def __call__(self, event: object) -> None:
            """Events are of no account here."""

        def attach(self, verifier: object) -> None:
            attached.append(verifier)

    verifier = verifier_at(FakeClock(NOW), observers=[Reading()])
    assert attached == [verifier]


def test_revocations_report_to_the_observers_of_the_verifier() -> None:
    """A shared store that fails is seen where refusals are seen."""
    observed: list[object] = []

    class Watched(Revocations):
        def observe(self, observers: Observers) -> Callable[[], None]:
            observed.append(observers)
            return super().observe(observers)

    verifier = verifier_at(FakeClock(NOW), revocations=Watched())
    assert observed == [verifier.observers]


def test_explaining_is_off_and_local_unless_asked_for() -> None:
    """Two decisions: to explain at all, and to explain to callers from elsewhere."""
    plain, local = verifier_at(FakeClock(NOW)), verifier_at(FakeClock(NOW), explain=True)
    remote = verifier_at(FakeClock(NOW), explain=True, unsafe_explain_remote=True)
    said = [(one.explains, one.unsafe_explain_remote) for one in (plain, local, remote)]
    assert said == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(("used", "name"), [(True, "aws-lc"), (False, "cryptography")])
def test_health_says_which_library_verifies_signatures(used: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS-LC where it is installed and not switched off."""
    monkeypatch.setattr(aws_lc, "is_used", lambda: used)
    assert verifier_at(FakeClock(NOW)).health().signatures == name
