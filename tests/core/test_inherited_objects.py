"""What a forked child lets go of, and never collects: it is the parent's, which still uses it."""

from __future__ import annotations

import pytest

from tests.core.jwks.cache_servers import CacheServer
from tests.core.test_forks import run_member


@pytest.mark.parametrize("case", ["watched_call", "connections", "fetch_under_way", "held_keys"])
def test_child_lets_go_of_what_its_parent_uses(case: str) -> None:
    """And keeps it: what is collected may close what both have open."""
    assert run_member("tests.core.inherited_member", case) is True


def test_connections_to_a_cache_stay_the_parents(server: CacheServer) -> None:
    """A child opens its own, and the parent goes on with what it had, as if nothing had been."""
    assert run_member("tests.core.inherited_member", "shared_cache", server.url) is True
