"""Tokens that are bound to a certificate, and what proxies forward of it: made by the kit, judged by the core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from bearward import AuthError, Refusal, Verifier
from bearward.adapters import Presented, Scheme, authenticate
from bearward.client_certificates import CertificateForm, ForwardedCertificate, from_networks
from bearward.testing import CertificateClient, LocalIssuer
from tests.conftest import Run

FORMS: tuple[CertificateForm, ...] = get_args(CertificateForm)


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up, under a name that ends with a slash."""
    with LocalIssuer(algorithms=["ES256"], path="/") as running:
        yield running


@pytest.mark.parametrize("form", FORMS)
def test_forwarded_certificate_proves_the_token_that_is_bound_to_it(
    issuer: LocalIssuer, run: Run, form: CertificateForm
) -> None:
    """In the form of each proxy: its own token is accepted, and that of another client's certificate is refused."""
    client, other = CertificateClient(), CertificateClient("another")
    ((name, value),) = client.forwarded(form).items()
    reader = ForwardedCertificate(form, only_from=from_networks("10.0.0.0/8"), name=name)
    thumbprint = reader.read("10.0.0.1", lambda wanted: [value] if wanted == name else [])

    async def use() -> tuple[str | None, Refusal]:
        async with Verifier(issuer.trusted()) as verifier:
            own = Presented(Scheme.BEARER, issuer.mint(sub="ada", bound_to=client), certificate=thumbprint)
            who = await authenticate(verifier, own)
            stolen = Presented(Scheme.BEARER, issuer.mint(bound_to=other), certificate=thumbprint)
            with pytest.raises(AuthError) as refused:
                await authenticate(verifier, stolen)
            return who.subject, refused.value.refusal

    assert run(use()) == ("ada", Refusal.TOKEN_SENDER_CONSTRAINED)


def test_name_of_an_issuer_keeps_its_slash(issuer: LocalIssuer) -> None:
    """Auth0's issuers end with one, and `iss` is compared exactly; its documents are where others have theirs."""
    assert issuer.url == issuer.origin + "/"
    assert issuer.discovery_uri == issuer.origin + "/.well-known/openid-configuration"
    assert issuer.jwks_uri == issuer.origin + "/jwks"
