"""The catalogue of hostile tokens and of broken issuers: each entry is refused for its own reason, and survived."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bearward import AuthError, JWKSOptions, Refusal, TrustedIssuer, Verifier
from bearward.testing import GARBAGE, HOSTILE_TOKENS, LocalIssuer, MovableClock
from tests.conftest import Run

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


@pytest.fixture(scope="module", params=ALGORITHMS)
def issuer(request: pytest.FixtureRequest) -> LocalIssuer:
    """An issuer of each kind of key; no test asks it for anything over the network."""
    return LocalIssuer(algorithms=[request.param])


@pytest.fixture(scope="module")
def verifier(issuer: LocalIssuer) -> Verifier:
    """Usual settings, and the keys at hand."""
    return Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks()))


@pytest.fixture
def live() -> Iterator[LocalIssuer]:
    """An issuer that is up, on a clock of its own."""
    with LocalIssuer(algorithms=["ES256"], clock=MovableClock()) as running:
        yield running


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_hostile_token_is_refused_for_its_own_reason(issuer: LocalIssuer, verifier: Verifier, name: str) -> None:
    """Whatever the algorithm of the issuer, the refusal is the one that the catalogue names."""
    with pytest.raises(AuthError) as refused:
        _judge(verifier, issuer.hostile(name, scope="notes:read"))
    assert refused.value.refusal is HOSTILE_TOKENS[name].refusal


def test_hostile_token_without_its_fault_is_accepted(issuer: LocalIssuer, verifier: Verifier) -> None:
    """What the catalogue's tokens are made from is good, so that nothing else can be the reason."""
    assert verifier.verify_now(issuer.mint(scope="notes:read")).scopes == {"notes:read"}


def test_unknown_names_raise(issuer: LocalIssuer) -> None:
    """A misspelt name is no hostile token that happens to be refused."""
    with pytest.raises(KeyError):
        issuer.hostile("expird")
    with pytest.raises(KeyError):
        issuer.serve_garbage("nothing")
    with pytest.raises(TypeError, match="expires_in"):
        issuer.mint(lifetime=5)


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_makes_no_key(live: LocalIssuer, run: Run, name: str) -> None:
    """Tokens are refused as long as keys were never had, and accepted once the issuer is well again."""

    async def use() -> tuple[Refusal, str | None]:
        policy = live.trusted(jwks_options=JWKSOptions(total_timeout=5.0))
        async with Verifier(policy, clock=live.clock) as verifier:
            with pytest.raises(AuthError) as refused:
                await verifier.verify(live.mint())
            live.recover()
            assert isinstance(live.clock, MovableClock)
            live.clock.advance(3600.0)
            return refused.value.refusal, (await verifier.verify(live.mint(sub="ada"))).subject

    live.serve_garbage(name)
    assert run(use()) == (Refusal.KEYS_UNAVAILABLE, "ada")


def test_late_published_key_is_accepted_from_then_on(live: LocalIssuer, run: Run) -> None:
    """A new key signs before it is published: its tokens are refused until it is."""

    async def use() -> Refusal:
        async with live.verifier() as verifier:
            await verifier.verify(live.mint())
            key = live.rotate(publish=False)
            with pytest.raises(AuthError) as refused:
                await verifier.verify(live.mint())
            live.publish(key)
            assert isinstance(live.clock, MovableClock)
            live.clock.advance(3600.0)
            await verifier.verify(live.mint())
            return refused.value.refusal

    assert run(use()) is Refusal.KEY_UNKNOWN


def _judge(verifier: Verifier, token: str) -> None:
    """As an adapter does: the credentials first."""
    from bearward.adapters import bearer_token

    verifier.verify_now(bearer_token([f"Bearer {token}"]))
