"""What a verifier passes on when it awaits keys, how often it does, and what starting and closing it does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bearward import AuthError, ConfigurationError, JWKSOptions, Refusal, Revocations, TrustedIssuer, Verifier
from bearward.credential_place import CredentialPlace
from bearward.testing import LocalIssuer, json_octets, sign_segments
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.tokens import ISSUER, KEY, token_of

COOKIE = CredentialPlace(cookie="token")
BOUND = {"jkt": "x"}


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


async def refusal_of(verifier: Verifier, token: str, place: CredentialPlace | None = None) -> Refusal:
    """How `token` is refused, be it by what is held or after a fetch."""
    with pytest.raises(AuthError) as refused:
        await verifier.verify(token, place=place)
    return refused.value.refusal


@pytest.mark.parametrize("token_cache_bytes", [0, 1_000_000])
def test_bound_token_needs_a_checking_caller_before_and_after_a_fetch(
    issuer: LocalIssuer, run: Run, token_cache_bytes: int
) -> None:
    """RFC 7800: only where it says so, whether keys are held or have to be fetched."""

    async def use() -> None:
        policy = TrustedIssuer(issuer.url, audience=issuer.audience)
        verifier, bound = Verifier(policy, token_cache_bytes=token_cache_bytes), issuer.mint(cnf=BOUND)
        for _ in range(2):
            assert (await verifier.verify(bound, unsafe_allow_bound=True)).issuer == issuer.url
            assert issuer.requests("/jwks") == 1
            assert await refusal_of(verifier, bound) is Refusal.TOKEN_SENDER_CONSTRAINED
        await verifier.aclose()

    run(use())


@pytest.mark.parametrize("token_cache_bytes", [0, 1_000_000])
def test_token_is_accepted_only_in_its_place_before_and_after_a_fetch(
    issuer: LocalIssuer, run: Run, token_cache_bytes: int
) -> None:
    """Also one that is remembered."""

    async def use() -> None:
        policy = TrustedIssuer(issuer.url, audience=issuer.audience, place=COOKIE)
        verifier, token = Verifier(policy, token_cache_bytes=token_cache_bytes), issuer.mint()
        for _ in range(2):
            assert (await verifier.verify(token, place=COOKIE)).issuer == issuer.url
            assert await refusal_of(verifier, token) is Refusal.ISSUER_UNTRUSTED
        await verifier.aclose()

    run(use())


def test_issuer_that_the_header_names_has_its_keys_fetched(issuer: LocalIssuer, run: Run) -> None:
    """A token in the form of a proxy is read in that form for the fetch, too."""
    place, key = CredentialPlace(header="x-token", header_claims=("iss",)), issuer.key()
    header = json_octets({"alg": key.alg, "kid": key.kid, "iss": issuer.url})
    payload = json_octets({"aud": issuer.audience, "exp": issuer.now() + 60})

    async def use() -> None:
        verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, place=place))
        assert (await verifier.verify(sign_segments(header, payload, key), place=place)).issuer == issuer.url
        await verifier.aclose()

    run(use())


def fetching_nothing(monkeypatch: pytest.MonkeyPatch, verifier: Verifier) -> list[object]:
    """Have its fetches bring nothing; returns the generations that it wanted something newer than."""
    wanted: list[object] = []

    async def fetch(token: str, generation: int | None, place: object) -> None:
        wanted.append(generation)

    monkeypatch.setattr(verifier, "_fetch_keys_for", fetch)
    return wanted


def test_verification_waits_for_at_most_three_fetches(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """Where each brings no keys that last: then it says when to try again."""
    verifier = Verifier(TrustedIssuer(ISSUER, audience="api"))
    wanted = fetching_nothing(monkeypatch, verifier)

    async def use() -> None:
        with pytest.raises(AuthError) as refused:
            await verifier.verify(token_of(KEY, exp=4_000_000_000))
        assert (refused.value.refusal, refused.value.retry_after) == (Refusal.KEYS_UNAVAILABLE, 1.0)

    run(use())
    assert wanted == [None] * 3


def test_fetch_that_brings_no_other_keys_is_not_repeated(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """The token is refused as it was by the keys that were held."""

    async def use() -> None:
        async with Verifier(TrustedIssuer(issuer.url, audience=issuer.audience)) as verifier:
            await verifier.verify(issuer.mint())
            wanted = fetching_nothing(monkeypatch, verifier)
            assert await refusal_of(verifier, issuer.mint(kid="unknown")) is Refusal.KEY_UNKNOWN
            assert wanted == [1]

    run(use())


class Recorded(Revocations):
    """A list that counts how often it is started and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    async def start(self) -> None:
        """Once for a loop."""
        self.calls.append("start")

    async def aclose(self) -> None:
        """Once for a start."""
        self.calls.append("aclose")


def test_revocations_are_started_and_closed_with_their_verifier(run: Run) -> None:
    """Once on a loop, again once that loop is gone; a verifier that was never started closes nothing of others."""
    revocations = Recorded()
    verifier = Verifier(
        TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]}), revocations=revocations
    )

    async def start_twice() -> None:
        await verifier.start()
        await verifier.start()

    run(verifier.aclose())
    assert revocations.calls == []
    run(start_twice())
    assert revocations.calls == ["start"]
    run(start_twice())
    assert revocations.calls == ["start", "start"]
    run(verifier.aclose())
    assert revocations.calls == ["start", "start", "aclose"]


def test_closing_a_verifier_empties_its_cache(run: Run) -> None:
    """And one that keeps none can be closed as well."""
    policy = TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]})
    for token_cache_bytes in (1_000_000, 0):
        verifier = Verifier(policy, token_cache_bytes=token_cache_bytes)
        verifier.verify_now(token_of(KEY, exp=4_000_000_000))
        assert verifier.health().cached_tokens == (1 if token_cache_bytes else 0)
        run(verifier.aclose())
        assert verifier.health().cached_tokens == 0


def test_oversized_token_is_not_cached() -> None:
    """The longest itself is; either is verified alike."""
    token = token_of(KEY, exp=4_000_000_000)
    for longest, kept in ((len(token), 1), (len(token) - 1, 0)):
        verifier = Verifier(TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]}))
        assert verifier._cache is not None
        verifier._cache.max_token = longest
        assert verifier.verify_now(token).issuer == ISSUER
        assert verifier.health().cached_tokens == kept


def test_shared_cache_needs_a_secret_or_an_unsafe_setting() -> None:
    """Whoever can write it could plant keys: a secret, or an explicit word that it is accepted."""
    policy, shared = TrustedIssuer(ISSUER, audience="api"), "redis://127.0.0.1:1"
    with pytest.raises(ConfigurationError, match="secret"):
        Verifier(policy, jwks_cache=shared)
    Verifier(policy, jwks_cache=shared, jwks_cache_secret=b"0123456789abcdef0123456789abcdef")
    Verifier(policy, jwks_cache=shared, unsafe_allow_unauthenticated_cache=True)


def test_token_cache_bytes_is_validated() -> None:
    """The message names the setting and says what it must be."""
    with pytest.raises(ConfigurationError) as refused:
        Verifier(TrustedIssuer(ISSUER, audience="api"), token_cache_bytes=-1)
    assert str(refused.value) == "token_cache_bytes: must be a number of bytes, 0 for no cache"


def test_cached_token_with_expired_keys_is_verified_again_as_presented(issuer: LocalIssuer, run: Run) -> None:
    """In its place, and bound where the caller checks the binding: what is remembered is no shorter way in or out."""
    clock = FakeClock(time.time())

    async def use() -> None:
        options = JWKSOptions(max_age=60, stale_if_error=0)
        policy = TrustedIssuer(issuer.url, audience=issuer.audience, place=COOKIE, jwks_options=options)
        verifier, token = Verifier(policy, clock=clock), issuer.mint(cnf=BOUND, expires_in=3600)
        for fetches in (1, 2):
            principal = await verifier.verify(token, unsafe_allow_bound=True, place=COOKIE)
            assert (principal.issuer, issuer.requests("/jwks")) == (issuer.url, fetches)
            clock.forward(100)
        await verifier.aclose()

    run(use())
