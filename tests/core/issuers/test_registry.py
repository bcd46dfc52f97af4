"""Which issuers are trusted: those that are listed, those of a template, those that a resolver knows; no others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bearward import AuthError, ConfigurationError, KeysNeededError, Refusal, TenantIssuers, TrustedIssuer, Verifier
from bearward.credential_place import CredentialPlace
from bearward.testing import LocalIssuer
from tests.conftest import Run

AUDIENCE = "https://api.example"


@pytest.fixture
def tenant() -> Iterator[LocalIssuer]:
    """One tenant of a provider that is up."""
    with LocalIssuer(algorithms=["ES256"], path="/blue") as issuer:
        yield issuer


def test_equal_kids_of_two_issuers_are_never_confused() -> None:
    """A token is checked by the its own keys issuer alone, even where another has a key of the same name."""
    one = LocalIssuer(algorithms=["ES256"], identifier="https://one.example")
    two = LocalIssuer(algorithms=["ES256"], identifier="https://two.example")
    one.rotate(kid="same")
    two.rotate(kid="same")
    verifier = Verifier(*(TrustedIssuer(i.url, audience=AUDIENCE, jwks=i.keys.jwks()) for i in (one, two)))
    assert verifier.verify_now(one.mint()).issuer == "https://one.example"
    assert verifier.verify_now(two.mint()).issuer == "https://two.example"
    for forged in (one.mint(iss=two.url), two.mint(iss=one.url)):
        with pytest.raises(AuthError) as refused:
            verifier.verify_now(forged)
        assert refused.value.refusal is Refusal.SIGNATURE_INVALID


def test_tenant_keys_are_discovered_from_its_own_metadata(tenant: LocalIssuer, run: Run) -> None:
    """The tenant's own discovery document is used, and what does not fit the template is untrusted."""
    template = tenant.url.replace("blue", "{tenant}")

    async def use() -> None:
        async with Verifier(TenantIssuers(template, audience=AUDIENCE)) as verifier:
            assert (await verifier.verify(tenant.mint())).issuer == tenant.url
            for invented in (tenant.url + "/more", template, tenant.url.replace("blue", "a..b"), tenant.url + "\n"):
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(tenant.mint(iss=invented))
                assert refused.value.refusal is Refusal.ISSUER_UNTRUSTED

    run(use())


def test_tenants_allow_list(tenant: LocalIssuer) -> None:
    """A tenant that is not among the named ones is untrusted."""
    template = tenant.url.replace("blue", "{tenant}")
    tenants = TenantIssuers(template, tenants=frozenset({"green"}), audience=AUDIENCE)
    assert tenants.issuer_for(tenant.url) is None
    assert tenants.issuer_for(template.format(tenant="green")) is not None


def test_proven_tenant_is_not_evicted_by_invented_ones(tenant: LocalIssuer, run: Run) -> None:
    """From then on any number of invented tenants leaves its settings and its keys in place."""
    template = TenantIssuers(tenant.url.replace("blue", "{tenant}"), audience=AUDIENCE, max_tenants=4)

    async def use() -> None:
        async with Verifier(template) as verifier:
            await verifier.verify(tenant.mint())
            known = template.issuer_for(tenant.url)
            for number in range(100):
                with pytest.raises(AuthError):
                    await verifier.verify(tenant.mint(iss=tenant.url.replace("blue", f"invented{number}")))
            assert template.issuer_for(tenant.url) is known
            verifier.verify_now(tenant.mint())

    run(use())


def test_resolver_results_are_cached_and_single_flight(run: Run) -> None:
    """Concurrent first tokens of an issuer cause one lookup; a negative result is cached as well."""
    known = LocalIssuer(algorithms=["ES256"], identifier="https://known.example")
    asked: list[str] = []

    async def resolve(issuer: str) -> TrustedIssuer | None:
        asked.append(issuer)
        await asyncio.sleep(0)
        return TrustedIssuer(issuer, audience=AUDIENCE, jwks=known.keys.jwks()) if issuer == known.url else None

    async def use() -> None:
        async with Verifier(resolve) as verifier:
            token = known.mint()
            with pytest.raises(KeysNeededError):
                verifier.verify_now(token)
            await asyncio.gather(*(verifier.verify(known.mint()) for _ in range(20)))
            verifier.verify_now(token)
            for _ in range(3):
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(known.mint(iss="https://unknown.example"))
                assert refused.value.refusal is Refusal.ISSUER_UNTRUSTED

    run(use())
    assert asked == ["https://known.example", "https://unknown.example"]


@pytest.mark.parametrize("failure", [RuntimeError("boom"), OSError("down")])
def test_resolver_failure_is_keys_unavailable(run: Run, failure: Exception) -> None:
    """What a resolver raises becomes KEYS_UNAVAILABLE and never reaches a caller."""

    async def resolve(issuer: str) -> TrustedIssuer | None:
        raise failure

    async def use() -> AuthError:
        issuer = LocalIssuer(algorithms=["ES256"], identifier="https://known.example")
        async with Verifier(resolve) as verifier:
            with pytest.raises(AuthError) as refused:
                await verifier.verify(issuer.mint())
            return refused.value

    error = run(use())
    assert error.refusal is Refusal.KEYS_UNAVAILABLE
    assert str(failure) not in str(error)


def test_resolver_cannot_return_another_issuer(run: Run) -> None:
    """The policy that a resolver answers with must be that of the `iss` it was asked for."""
    known = LocalIssuer(algorithms=["ES256"], identifier="https://known.example")

    async def resolve(issuer: str) -> TrustedIssuer | None:
        return TrustedIssuer(known.url, audience=AUDIENCE, jwks=known.keys.jwks())

    async def use() -> None:
        async with Verifier(resolve) as verifier:
            with pytest.raises(AuthError) as refused:
                await verifier.verify(known.mint(iss="https://unknown.example"))
            assert refused.value.refusal is Refusal.ISSUER_UNTRUSTED

    run(use())


def test_duplicate_issuers_raise_configuration_error() -> None:
    """Two policies for one `iss` cannot both be meant."""
    issuer = TrustedIssuer("https://login.example", audience=AUDIENCE)
    with pytest.raises(ConfigurationError, match="twice"):
        Verifier(issuer, issuer)


HEADER, OTHER = "X-Assertion", "X-Other"


@pytest.mark.parametrize("own", [None, HEADER])
@pytest.mark.parametrize("found", [None, HEADER, OTHER])
def test_issuer_is_trusted_in_its_own_place_alone(own: str | None, found: str | None) -> None:
    """A token that a proxy puts into a header is none when its caller brings it elsewhere, and the reverse."""
    place, found_in = (None if header is None else CredentialPlace(header=header) for header in (own, found))
    keys = LocalIssuer(algorithms=["ES256"], identifier="https://login.example").keys.jwks()
    policy = TrustedIssuer("https://login.example", audience=AUDIENCE, jwks=keys, place=place)
    issuers = Verifier(policy)._issuers
    if own == found:
        assert issuers.known(policy.issuer, None, found_in)[0] is policy
        return
    with pytest.raises(AuthError) as refused:
        issuers.known(policy.issuer, None, found_in)
    assert refused.value.refusal is Refusal.ISSUER_UNTRUSTED


def test_issuer_that_publishes_keys_one_by_one_is_known_before_a_token_names_one() -> None:
    """Its settings are found without a token."""
    policy = TrustedIssuer("https://login.example", audience=AUDIENCE, pem_uri="https://login.example/keys/{kid}")
    assert Verifier(policy)._issuers.known(policy.issuer)[0] is policy


@pytest.mark.parametrize(
    "wrong", ["https://login.example", ["https://login.example"], TrustedIssuer, TenantIssuers, None]
)
def test_what_is_no_issuer_and_no_resolver_raises_configuration_error(wrong: object) -> None:
    """It would trust nobody, or fail at the first token."""
    with pytest.raises(ConfigurationError, match="issuers"):
        Verifier(wrong)  # type: ignore[arg-type]


def test_call_that_looks_while_others_are_put_in_force_is_refused_for_no_policy(tenant: LocalIssuer, run: Run) -> None:
    """Another thread may still have what was in force, and find no keys by it: it asks those that are in force now."""
    template = TenantIssuers(tenant.url.replace("blue", "{tenant}"), audience=AUDIENCE)

    async def use() -> None:
        async with Verifier(template) as verifier:
            await verifier.verify(tenant.mint())
            before = verifier._issuers
            verifier._store.era += 1
            with pytest.raises(KeysNeededError):
                await before.find(tenant.url)
            with pytest.raises(AuthError) as refused:
                before.standing(tenant.url)
            assert refused.value.refusal is Refusal.KEYS_UNAVAILABLE

    run(use())
