"""The store that a fleet shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.jwks.cache_servers import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey server."""
    with Valkey(tmp_path) as one:
        yield one
