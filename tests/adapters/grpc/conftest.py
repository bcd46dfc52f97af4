"""Issuers for the tests of the gRPC adapter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bearward import JWKSOptions, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """A real issuer over HTTP; ES256, for its keys are made in no time."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        yield local


@pytest.fixture(scope="module")
def absent() -> Iterator[LocalIssuer]:
    """An issuer that is trusted and never up while anybody asks."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        local.down()
        yield local


PATIENT = JWKSOptions(connect_timeout=60, read_timeout=60, total_timeout=60)
"""A busy machine may take long to answer a fetch, and a call without keys would be another test."""


def trust(*issuers: LocalIssuer) -> Verifier:
    """A verifier that trusts these issuers."""
    return Verifier(
        *(TrustedIssuer(i.url, audience=i.audience, jwks_uri=i.jwks_uri, jwks_options=PATIENT) for i in issuers)
    )
