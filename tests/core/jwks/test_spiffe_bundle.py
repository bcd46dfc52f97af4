"""SPIFFE bundles: a newer one is never replaced by an older one, and their hint says how soon to look again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bearward import JWKSOptions, TrustedIssuer
from bearward.fetch.errors import FetchFailure
from bearward.jwks.spiffe_bundle import is_older, refresh_hint
from bearward.testing import LocalIssuer, SigningKey
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, eventually, started

FIRST, SECOND = SigningKey.generate("ES256"), SigningKey.generate("ES256")


@pytest.fixture
def publisher() -> Iterator[LocalIssuer]:
    """It serves the bundle that a test puts there."""
    with LocalIssuer(algorithms=["ES256"]) as running:
        yield running


def put(publisher: LocalIssuer, key: SigningKey, **members: Any) -> None:
    """Publish a bundle of one key."""
    publisher.serve_jwks({"keys": [key.public_jwk(use="jwt-svid", alg=None)], **members})


def domain(publisher: LocalIssuer, **options: Any) -> TrustedIssuer:
    """The trust domain whose bundle this is."""
    given: dict[str, Any] = {"start": "lazy", "cooldown": 0.0, "refresh_fraction": 0.95, **options}
    return TrustedIssuer(
        "spiffe://example.org", audience="a", jwks_uri=publisher.jwks_uri, jwks_options=JWKSOptions(**given)
    )


@pytest.mark.parametrize(
    ("found", "held", "older"), [(0, 1, True), (1, 0, False), (1, 1, False), (1, 2**64 - 1, True), (1, 2**64, False)]
)
def test_sequence_is_a_number_of_64_bits(found: int, held: int, older: bool) -> None:
    """From 0 on; what is larger says nothing."""
    documents = [json.dumps({"keys": [], "spiffe_sequence": number}).encode() for number in (found, held)]
    assert is_older(*documents) is older


def test_older_bundle_does_not_replace_a_newer_one(publisher: LocalIssuer, run: Run) -> None:
    """It is a failure that the health page names; a newer one is accepted, and so is the same again."""

    async def scenario() -> None:
        clock = FakeClock()
        async with started(domain(publisher), clock) as (_, keys):
            put(publisher, FIRST, spiffe_sequence=7)
            held = await keys.get()
            put(publisher, SECOND, spiffe_sequence=6)
            await keys.refresh()
            assert keys.current() is held
            assert keys.health().last_failure is FetchFailure.OLDER
            put(publisher, FIRST, spiffe_sequence=7)
            await keys.refresh()
            assert keys.health().last_failure is None
            put(publisher, SECOND, spiffe_sequence=8)
            await keys.refresh()
            assert [key.kid for key in (await keys.get()).jwk_set.keys] == [SECOND.kid]

    run(scenario())


def test_bundle_that_starts_anew_is_accepted_once_the_held_one_is_over(publisher: LocalIssuer, run: Run) -> None:
    """A publisher that lost its state is not shut out for longer than one that is down would be."""

    async def scenario() -> None:
        clock = FakeClock()
        async with started(domain(publisher, max_age=60.0, stale_if_error=60.0), clock) as (_, keys):
            put(publisher, FIRST, spiffe_sequence=7)
            await keys.get()
            put(publisher, SECOND, spiffe_sequence=1)
            clock.forward(121.0)
            assert [key.kid for key in (await keys.get()).jwk_set.keys] == [SECOND.kid]

    run(scenario())


UNSAID: list[dict[str, Any]] = [
    {},
    {"spiffe_sequence": -1},
    {"spiffe_sequence": "6"},
    {"spiffe_sequence": 6.0},
    {"spiffe_sequence": True},
    {"spiffe_sequence": 2**70},
    {"spiffe_sequence": None},
]


@pytest.mark.parametrize("members", UNSAID)
def test_sequence_that_is_no_number_refuses_no_keys(publisher: LocalIssuer, run: Run, members: dict[str, Any]) -> None:
    """The keys count all the same."""

    async def scenario() -> None:
        async with started(domain(publisher), FakeClock()) as (_, keys):
            put(publisher, FIRST, spiffe_sequence=7)
            await keys.get()
            put(publisher, SECOND, **members)
            await keys.refresh()
            assert [key.kid for key in (await keys.get()).jwk_set.keys] == [SECOND.kid]

    run(scenario())


HINTS = [(30, 30.0), (300, 300.0), (5, 10.0), (86_400, 600.0), (0, 600.0), (-5, 600.0), ("30", 600.0), (None, 600.0)]
"""What a bundle says, and after how many seconds it is asked for again: within `min_age` and `max_age`."""


@pytest.mark.parametrize(("hint", "lifetime"), HINTS)
def test_hint_says_when_to_look_again_within_the_bounds(
    publisher: LocalIssuer, run: Run, hint: object, lifetime: float
) -> None:
    """It cannot make a bundle trusted for longer, nor each request a fetch."""

    async def scenario() -> None:
        async with started(domain(publisher, min_age=10.0), FakeClock()) as (_, keys):
            put(publisher, FIRST, spiffe_refresh_hint=hint)
            await keys.get()
            assert keys.entry is not None
            assert keys.entry.lifetime == lifetime

    run(scenario())


def test_the_less_of_hint_and_response_counts(publisher: LocalIssuer, run: Run) -> None:
    """`Cache-Control` is the response's own word."""

    async def scenario() -> None:
        for seconds, hint, lifetime in ((60, 30, 30.0), (30, 60, 30.0)):
            document = {"keys": [FIRST.public_jwk()], "spiffe_refresh_hint": hint}
            publisher.serve_jwks(document, cache_control=f"max-age={seconds}")
            async with started(domain(publisher, min_age=10.0), FakeClock()) as (_, keys):
                await keys.get()
                assert keys.entry is not None
                assert keys.entry.lifetime == lifetime

    run(scenario())


def test_older_bundle_in_the_shared_cache_replaces_nothing(publisher: LocalIssuer, run: Run, valkey: Valkey) -> None:
    """A process that began with a lagging replica shares what it got; who has seen a newer one keeps that."""

    async def scenario() -> None:
        clock = FakeClock()
        cached: dict[str, Any] = {"cache": valkey.url, "cache_secret": SECRET}
        async with started(domain(publisher), clock, **cached) as (_, keys):
            put(publisher, FIRST, spiffe_sequence=7)
            held = await keys.get()
            clock.forward(1.0)
            put(publisher, SECOND, spiffe_sequence=6)
            async with started(domain(publisher), clock) as (_, lagging):
                await lagging.get()
                assert lagging.entry is not None
                keys.accept(lagging.entry)
            await eventually(lambda: keys.current() is not None)
            assert keys.current() is held

    run(scenario())


def test_what_is_no_json_says_nothing() -> None:
    """Nor does a document that only mentions the names."""
    for document in (b"spiffe_sequence", b'{"a": "spiffe_sequence spiffe_refresh_hint"}', b""):
        assert refresh_hint(document) is None
        assert not is_older(document, b'{"keys": [], "spiffe_sequence": 3}')
        assert not is_older(json.dumps({"keys": [], "spiffe_sequence": 1}).encode(), document)
