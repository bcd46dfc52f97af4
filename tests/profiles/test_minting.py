"""The testing kit mints for every profile: what it writes for a policy, that policy accepts, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bearward import AuthError, Refusal, TenantIssuers, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer, MovableClock
from tests.conftest import Run
from tests.profiles.table import Table
from tests.profiles.tables import TABLES

TENANT = "6f1e2b7c-3d3a-4a4e-9a59-0f0b5f3c8f11"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """It stands in for each vendor; its one key is none that any profile need allow."""
    with LocalIssuer(algorithms=["EdDSA"], clock=MovableClock()) as running:
        yield running


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_token_for_a_profile_is_accepted_by_it(issuer: LocalIssuer, run: Run, table: Table) -> None:
    """Any profile, with its keys on loopback: nothing but the policy says what the token has to look like."""

    async def use() -> None:
        policies = [issuer.stand_in_for(policy) for policy in table.trusted()]
        async with Verifier(*policies, clock=issuer.clock) as verifier:
            for policy in policies:
                place, one = policy.place, _one(policy)
                if isinstance(policy, TenantIssuers):
                    issuer.stand_in_for(one)
                who = await verifier.verify(issuer.mint(policy=one), place=place)
                assert who.issuer == one.issuer
                with pytest.raises(AuthError) as refused:
                    await verifier.verify(issuer.mint(policy=one, expires_in=-600), place=place)
                assert refused.value.refusal is Refusal.TOKEN_EXPIRED

    run(use())


def test_issuers_own_token_is_not_one_of_a_profile(issuer: LocalIssuer, run: Run) -> None:
    """Standing in for another issuer trusts that name, and not the one of the issuer on loopback."""
    from bearward.profiles import keycloak

    real = keycloak(host="keycloak.example", realm="demo", audience="https://api.example")

    async def use() -> Refusal:
        async with Verifier(issuer.stand_in_for(real)) as verifier:
            with pytest.raises(AuthError) as refused:
                await verifier.verify(issuer.mint())
            return refused.value.refusal

    assert run(use()) is Refusal.ISSUER_UNTRUSTED


def _one(policy: TrustedIssuer | TenantIssuers) -> TrustedIssuer:
    if isinstance(policy, TrustedIssuer):
        return policy
    name = min(policy._tenants or {TENANT})
    tenant = policy.issuer_for(policy.template.replace("{tenant}", name))
    assert tenant is not None
    return tenant
