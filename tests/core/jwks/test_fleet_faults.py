"""A fleet whose cache or members fail: each process continues alone, and nothing planted is accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bearward.fetch.errors import FetchFailure
from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.store import MissAction
from bearward.jwks.stored_entry import Stored, pack
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.cache_servers import CacheServer, Valkey
from tests.core.jwks.support import SECRET, all_get_keys, eventually, fleet, policy


@pytest.mark.thorough
def test_cache_outage_only_adds_fetches(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """Each fetches by itself and says so; when the cache comes back they share again."""

    async def scenario() -> None:
        server.stop()
        trusted = policy(issuer, cooldown=0)
        async with fleet(trusted, 4, cache=server.url, cache_secret=SECRET) as members:
            await all_get_keys(members)
            assert issuer.requests() == 4
            assert all(member.health().cache not in (None, "ok") for member in members)
            server.start()
            await eventually(lambda: all(member.health().cache == "ok" for member in members))
            kid = issuer.rotate().kid
            await members[0].refresh_after_miss(kid, 1)
            await eventually(lambda: all((held := m.current()) and held.jwk_set.holds(kid) for m in members))
            assert issuer.requests() == 5

    run(scenario())


def test_hanging_cache_costs_little_time_and_refuses_no_token(
    run: Run, server: CacheServer, issuer: LocalIssuer
) -> None:
    """The time limits of the cache come on top of the fetch, once."""

    async def scenario() -> None:
        server.hang()
        try:
            async with fleet(policy(issuer), 1, cache=server.url, cache_secret=SECRET) as (keys,):
                await keys.get()
                assert keys.health().cache == "timed out"
        finally:
            server.go_on()

    run(scenario())


def test_full_cache_refuses_no_token(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """No lease and no document can be stored: each fetches by itself."""

    class Full(Valkey):
        options = ("--maxmemory", "1", "--maxmemory-policy", "noeviction")

    async def scenario() -> None:
        with Full(tmp_path) as server:
            async with fleet(policy(issuer), 2, cache=server.url, cache_secret=SECRET) as members:
                await all_get_keys(members)
                assert issuer.requests() == 2

    run(scenario())


def test_workers_survive_a_flushed_or_killed_cache(run: Run, server: CacheServer, issuer: LocalIssuer) -> None:
    """Workers go on from their snapshots while the cache comes and goes under load."""

    async def scenario() -> None:
        trusted = policy(issuer, cooldown=0)
        async with fleet(trusted, 3, cache=server.url, cache_secret=SECRET) as members:
            await all_get_keys(members)
            for _ in range(5):
                server.stop()
                for keys in members:
                    kid = issuer.rotate().kid
                    held = keys.current()
                    assert held is not None
                    assert (await keys.refresh_after_miss(kid, held.generation)).jwk_set.holds(kid)
                server.start()
                assert all(keys.current() is not None for keys in members)

    run(scenario())


def forged_document(issuer: LocalIssuer, names: IssuerFleet) -> str:
    """A document with an attacker's key, as fresh as can be, without the fleet's secret."""
    from bearward.jose.jwk_set import JWKSet
    from bearward.jwks.entry import Entry

    document = json.dumps(LocalIssuer(algorithms=["ES256"]).keys.jwks()).encode()
    entry = Entry(JWKSet.parse(document), document, time.time() + 5, 600.0)
    return pack(Stored(entry, 2.0), name=names._keys.document, issuer=issuer.url, secret=None)


POISON: list[tuple[str, Callable[[LocalIssuer, IssuerFleet], str]]] = [
    ("a planted key", forged_document),
    ("garbage", lambda *_: "garbage"),
    ("deep JSON", lambda *_: "[" * 100_000),
    ("a number", lambda *_: "5"),
    ("nothing", lambda *_: ""),
]


@pytest.mark.parametrize(("what", "poison"), POISON, ids=[case[0] for case in POISON])
def test_poisoned_cache_entry_is_rejected(
    what: str, poison: Callable[[LocalIssuer, IssuerFleet], str], run: Run, valkey: Valkey, issuer: LocalIssuer
) -> None:
    """With a secret, what others wrote is refused and named in the health; the issuer is asked, and rewrites it."""

    async def scenario() -> None:
        async with fleet(policy(issuer), 2, cache=valkey.url, cache_secret=SECRET) as (one, other):
            await one.get()
            names = one.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._keys.document, poison(issuer, names), 60)
            await names._cache.put(names._keys.version, "look here", 60)
            await eventually(lambda: (one.health().cache or "").startswith("rejected a document"))
            held = await other.get()
            assert held.jwk_set.thumbprint == one.current().jwk_set.thumbprint  # type: ignore[union-attr]
            assert issuer.requests() == 2
            await eventually(lambda: one.health().cache == "ok")

    run(scenario())


def test_lease_that_is_never_released_expires(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Somebody renews it forever: after the total timeout each fetches by itself, and asks for no lease for a while."""
    trusted = policy(issuer, total_timeout=0.5, cooldown=0)

    async def scenario() -> None:
        async with fleet(trusted, 1, cache=valkey.url, cache_secret=SECRET) as (keys,):
            names = keys.fleet
            assert isinstance(names, IssuerFleet)
            await names._cache.put(names._keys.lease, "an attacker", 3600)
            await keys.get()
            kid = issuer.rotate().kid
            began = time.monotonic()
            assert (await keys.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert time.monotonic() - began < 10

    run(scenario())


def test_failure_of_the_lease_holder_delays_the_others_once(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """Who holds keys leaves the next attempt to itself; who holds none tries at once."""

    async def scenario() -> None:
        async with fleet(policy(issuer, cooldown=1, poll_interval=3600), 2, cache=valkey.url, cache_secret=SECRET) as (
            one,
            other,
        ):
            await all_get_keys([one, other])
            holder = other.fleet
            assert isinstance(holder, IssuerFleet)
            await holder._lease.note_failure(3.0)
            kid = issuer.rotate().kid
            assert not (await one.refresh_after_miss(kid, 1)).jwk_set.holds(kid)
            assert one.health().last_failure is FetchFailure.PEER_FAILED
            await eventually(lambda: one.decide_on_miss("a", 1) is not MissAction.UNKNOWN)
            await one.refresh_after_miss("a", 1)
            assert one.current().jwk_set.holds(kid)  # type: ignore[union-attr]
            async with fleet(policy(issuer), 1, cache=valkey.url, cache_secret=SECRET) as (late,):
                await late.get()

    run(scenario())
