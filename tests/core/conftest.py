"""The servers that the store's tests run against: an issuer, and caches of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward.testing import LocalIssuer
from tests.core.jwks.cache_servers import KINDS, CacheServer, Valkey


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheServer]:
    """A cache server of each kind."""
    with request.param(tmp_path) as one:
        yield one


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generous time limit for caches, where the test is not about that: the machine may be busy."""
    monkeypatch.setattr("bearward.jwks.store._CACHE_TIMEOUT", 10.0)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Valkey alone, where the kind makes no difference."""
    with Valkey(tmp_path) as one:
        yield one
