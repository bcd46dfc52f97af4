"""The sample servers as real processes, in front of an issuer that the test holds in its hand."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import httpx2
import pytest

from bearward.testing import LocalIssuer
from samples.processes import Process
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.samples.servers import bearer, becomes_ready

SCOPES = "notes:read notes:write"


def environment(issuer: LocalIssuer) -> dict[str, str]:
    """The settings by which a server trusts this issuer."""
    return {"BEARWARD_ISSUER": issuer.url, "BEARWARD_AUDIENCE": issuer.audience}


@pytest.fixture(scope="package")
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that stays as it is."""
    with LocalIssuer() as local:
        yield local


@pytest.fixture(scope="package")
def http_url(issuer: LocalIssuer) -> Iterator[str]:
    """The HTTP sample."""
    with Process("samples.http_server", "--port", "0", environment=environment(issuer)) as server:
        becomes_ready(server.url())
        yield server.url()
        assert server.errors() == ""


@pytest.fixture
def http(http_url: str, issuer: LocalIssuer) -> Iterator[httpx2.Client]:
    """A client of the HTTP sample that may do everything."""
    headers = bearer(issuer.mint(scope=SCOPES, sub="ada"))
    with httpx2.Client(base_url=http_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="package", params=["grpc.aio", "grpc.server"])
def grpc_address(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Iterator[str]:
    """The gRPC sample, on an event loop and in threads."""
    threads = ["--sync"] if request.param == "grpc.server" else []
    with Process("samples.grpc_server", "--port", "0", *threads, environment=environment(issuer)) as server:
        yield server.address()
        assert server.errors() == ""


@pytest.fixture
def channel(grpc_address: str) -> Iterator[grpc.Channel]:
    """A channel to the gRPC sample."""
    with grpc.insecure_channel(grpc_address) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.Channel) -> ProtectedServiceStub:
    """The protected service over gRPC."""
    return ProtectedServiceStub(channel)
