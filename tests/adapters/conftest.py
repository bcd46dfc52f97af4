"""What the tests of several adapters share: a store, and the sample servers by the `settings` of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from samples.processes import Process
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.core.jwks.cache_servers import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey server."""
    with Valkey(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def http(settings: str) -> Iterator[str]:
    """A Sanic server."""
    with Process("samples.http_server", "--port", "0", "--config", settings) as server:
        yield server.url()


@pytest.fixture(scope="module", params=["grpc.aio", "grpc.server"])
def stub(settings: str, request: pytest.FixtureRequest) -> Iterator[ProtectedServiceStub]:
    """A gRPC server, on an event loop and in threads."""
    threads = ["--sync"] if request.param == "grpc.server" else []
    with (
        Process("samples.grpc_server", "--port", "0", "--config", settings, *threads) as server,
        grpc.insecure_channel(server.address()) as channel,
    ):
        yield ProtectedServiceStub(channel)
