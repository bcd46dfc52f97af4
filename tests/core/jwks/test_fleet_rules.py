"""The rules by which processes share fetches, one by one: two fleets in one process, on a clock that stands still."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bearward.cache.client import SharedCache
from bearward.cache.memory import _ProcessCache
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.entry import Entry, StaleEntryError
from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.freshness import Trigger
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Refresher, RefreshRequest
from bearward.jwks.sources import Static
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import SECRET

DOCUMENT = json.dumps(LocalIssuer(algorithms=["ES256"]).keys.jwks()).encode()
OTHER = json.dumps(LocalIssuer(algorithms=["ES256"]).keys.jwks()).encode()


class Issuer:
    """Counts what it is asked, and returns an entry of the moment or raises."""

    def __init__(self, clock: FakeClock, failure: FetchFailure | None = None) -> None:
        self.clock = clock
        self.failure = failure
        self.asked: list[Entry | None] = []

    async def fetch(self, held: Entry | None) -> Entry:
        """Remember with which entry it was asked."""
        self.asked.append(held)
        if self.failure is not None:
            raise FetchError(self.failure)
        return entry(self.clock)


def entry(clock: FakeClock, document: bytes = DOCUMENT) -> Entry:
    """What the issuer publishes now."""
    return Entry(JWKSet.parse(document), document, clock.now(), 600.0)


def members(clock: FakeClock, number: int = 2, **options: float) -> list[IssuerFleet]:
    """Processes with one cache."""
    backend = _ProcessCache()
    return [
        IssuerFleet(
            SharedCache(lambda: backend, clock, timeout=30.0),
            "https://login.example",
            source="here",
            options=JWKSOptions(**options),  # type: ignore[arg-type]
            clock=clock,
            secret=SECRET,
        )
        for _ in range(number)
    ]


def unknown(held: Entry | None, kid: str = "unknown", *, skip_fleet: bool = False) -> RefreshRequest:
    """A refresh because of a `kid` that is not held."""
    return RefreshRequest(Trigger.UNKNOWN_KID, held, kid, skip_fleet)


def test_shared_set_that_is_older_than_the_held_one_prevents_no_fetch(run: Run) -> None:
    """Also while the fleet's rate limit, which is stored with that older set, would allow none."""

    async def scenario() -> None:
        clock = FakeClock()
        one, _ = members(clock)
        await one.publish(entry(clock), 0.0)
        clock.forward(1.0)
        issuer, newer = Issuer(clock), entry(clock, OTHER)
        clock.forward(1.0)
        await one.refresh(unknown(newer), issuer.fetch)
        assert len(issuer.asked) == 1

    run(scenario())


@pytest.mark.parametrize("holds", ["the shared set", "nothing", "an older set"])
def test_exhausted_rate_limit_of_the_fleet_prevents_a_fetch(holds: str, run: Run) -> None:
    """The shared set, which may be the one that was looked in, is the newest that there may be for now."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        older = entry(clock)
        clock.forward(1.0)
        shared = entry(clock)
        held = {"the shared set": shared, "nothing": None, "an older set": older}[holds]
        await one.publish(shared, 0.0)
        clock.forward(1.0)
        issuer = Issuer(clock)
        assert (await other.refresh(unknown(held), issuer.fetch)).fetched_at == shared.fetched_at
        assert issuer.asked == []
        clock.forward(5.0)
        await other.refresh(unknown(held), issuer.fetch)
        assert len(issuer.asked) == 1

    run(scenario())


def test_unknown_kids_cost_a_fleet_a_burst_and_one_fetch_per_cooldown(run: Run) -> None:
    """Whichever process is asked: each fetch takes a permit of all, and each cooldown gives one back."""

    async def scenario() -> None:
        clock = FakeClock()
        fleet = members(clock, 3, burst=2, cooldown=5.0)
        issuer, held, asked = Issuer(clock), entry(clock), []
        for seconds in (1.0, 0.0, 0.0, 4.0, 1.0, 0.0):
            clock.forward(seconds)
            for number, member in enumerate(fleet):
                held = await member.refresh(unknown(held, f"kid {number}"), issuer.fetch)
                clock.forward(0.01)
            asked.append(len(issuer.asked))
        assert asked == [2, 2, 2, 2, 3, 3]

    run(scenario())


@pytest.mark.parametrize("permits", [0.0, 1.0])
@pytest.mark.parametrize("age", [4.9, 5.0])
def test_bad_signatures_cause_one_fetch_per_cooldown_in_a_fleet_and_take_no_permit(
    age: float, permits: float, run: Run
) -> None:
    """Whatever the fleet's rate limit is at: that of unknown `kid`s stays as it was."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock, burst=1)
        shared = entry(clock)
        await one.publish(shared, permits)
        clock.forward(age)
        issuer = Issuer(clock)
        found = await other.refresh(RefreshRequest(Trigger.BAD_SIGNATURE, shared, "a"), issuer.fetch)
        assert len(issuer.asked) == (age >= 5.0)
        clock.forward(0.1)
        await one.refresh(unknown(found), issuer.fetch)
        assert len(issuer.asked) == (age >= 5.0) + 1

    run(scenario())


def test_shared_set_with_the_same_keys_does_not_settle_a_bad_signature(run: Run) -> None:
    """It was fetched since, but too long ago; one with other keys is worth a try."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        held = entry(clock)
        issuer = Issuer(clock)
        for document, asked in ((DOCUMENT, 1), (OTHER, 1)):
            clock.forward(5.0)
            await one.publish(entry(clock, document), 2.0)
            clock.forward(5.0)
            await other.refresh(RefreshRequest(Trigger.BAD_SIGNATURE, held, "a"), issuer.fetch)
            assert len(issuer.asked) == asked

    run(scenario())


def test_failed_fetch_leaves_a_note_for_the_others(run: Run) -> None:
    """A process that holds keys skips one attempt because of it."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        down, up = Issuer(clock, FetchFailure.TIMEOUT), Issuer(clock)
        held = entry(clock)
        with pytest.raises(FetchError) as failed:
            await one.refresh(unknown(held), down.fetch)
        assert failed.value.failure is FetchFailure.TIMEOUT
        with pytest.raises(FetchError) as skipped:
            await other.refresh(unknown(held), up.fetch)
        assert skipped.value.failure is FetchFailure.PEER_FAILED
        assert up.asked == []

    run(scenario())


@pytest.mark.parametrize("who", ["holds nothing", "has skipped one attempt", "failed itself"])
def test_note_of_a_failure_does_not_keep_everybody_from_fetching(who: str, run: Run) -> None:
    """So neither a failing process nor a forged note stops the others."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        held, issuer = entry(clock), Issuer(clock)
        await one._lease.note_failure(3.0)
        if who == "holds nothing":
            await other.refresh(unknown(None), issuer.fetch)
        elif who == "has skipped one attempt":
            await other.refresh(unknown(held, skip_fleet=True), issuer.fetch)
        else:
            await one.refresh(unknown(held), issuer.fetch)
        assert len(issuer.asked) == 1

    run(scenario())


def test_lease_is_released_after_a_fetch(run: Run) -> None:
    """The next one begins at once."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        issuer = Issuer(clock)
        held = await one.refresh(unknown(None), issuer.fetch)
        assert await other._lease.acquire()
        await other._lease.release()
        clock.forward(60.0)
        await other.refresh(unknown(held), issuer.fetch)
        assert len(issuer.asked) == 2

    run(scenario())


def test_set_that_came_in_just_before_the_lease_is_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last holder of the lease may have finished between our look and our turn."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        issuer, news = Issuer(clock), entry(clock)
        acquire = one._lease.acquire

        async def after_another() -> bool:
            await other.publish(news, 2.0)
            return await acquire()

        monkeypatch.setattr(one._lease, "acquire", after_another)
        found = await one.refresh(unknown(None), issuer.fetch)
        assert found.fetched_at == news.fetched_at
        assert issuer.asked == []

    run(scenario())


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_set_of_the_lease_holder_is_taken_at_the_first_look(
    looks: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often there was nothing yet, and though the lease is still held."""

    async def scenario() -> None:
        clock = FakeClock()
        one, holder = members(clock)
        issuer, news = Issuer(clock), entry(clock)
        assert await holder._lease.acquire()
        acquire, tries = one._lease.acquire, 0

        async def tried() -> bool:
            nonlocal tries
            tries += 1
            assert tries <= looks, "the set was there at the look before"
            if tries == looks:
                await holder.publish(news, 2.0)
            return await acquire()

        monkeypatch.setattr(one._lease, "acquire", tried)
        found = await one.refresh(unknown(None), issuer.fetch)
        assert found.fetched_at == news.fetched_at
        assert issuer.asked == []

    run(scenario())


def test_bad_document_is_not_read_at_each_look_while_another_process_fetches(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at it is enough for a while, and the set of the lease holder is waited for all the same."""

    async def scenario() -> None:
        clock = FakeClock()
        one, holder = members(clock)
        issuer, acquire = Issuer(clock), one._lease.acquire
        await one._cache.put(one._keys.document, "garbage", 60)
        assert await holder._lease.acquire()
        pausing: list[bool] = []

        async def tried() -> bool:
            pausing.append(one.is_pausing)
            if len(pausing) == 2:
                await holder._lease.release()
            return await acquire()

        monkeypatch.setattr(one._lease, "acquire", tried)
        await one.refresh(unknown(None), issuer.fetch)
        assert pausing == [False, True]
        assert len(issuer.asked) == 1

    run(scenario())


def test_bad_document_is_logged_once_until_a_good_one_replaces_it(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Not at every look; and the state says so meanwhile."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        for number in (1, 2):
            await one._cache.put(one._keys.document, "garbage", 60)
            for _ in range(3):
                assert await one.newer_than(None) is None
            assert (one.state() or "").startswith("rejected a document")
            assert len(caplog.messages) == number
            await other.publish(entry(clock), 2.0)
            assert await one.newer_than(None) is not None
            assert one.state() == "ok"

    run(scenario())


@pytest.mark.parametrize(("ahead", "taken"), [(None, True), (-1.0, True), (0.0, False), (1.0, False)])
def test_shared_set_is_news_only_to_whoever_holds_none_or_an_older_one(
    ahead: float | None, taken: bool, run: Run
) -> None:
    """What is held at the same time stays; a look in vain is not repeated at once."""

    async def scenario() -> None:
        clock = FakeClock()
        one, other = members(clock)
        shared = entry(clock)
        await other.publish(shared, 2.0)
        held = None if ahead is None else replace(shared, fetched_at=shared.fetched_at + ahead)
        found = await one.newer_than(held)
        assert (found is not None and found.fetched_at == shared.fetched_at) is taken
        assert one.is_pausing is not taken

    run(scenario())


def test_conditional_request_uses_the_newest_entry(run: Run) -> None:
    """Whether this process holds it or the cache does."""

    async def scenario() -> None:
        clock = FakeClock()
        one, _ = members(clock)
        old = entry(clock)
        clock.forward(1.0)
        shared = entry(clock, OTHER)
        await one.publish(shared, 2.0)
        issuer = Issuer(clock)
        await one.refresh(RefreshRequest(Trigger.LOOKUP, replace(old, fetched_at=clock.now() + 5.0)), issuer.fetch)
        clock.forward(700.0)
        await one.refresh(unknown(old), issuer.fetch)
        first, second = issuer.asked
        assert first is not None
        assert second is not None
        assert first.fetched_at == shared.fetched_at + 5.0
        assert second.fetched_at >= shared.fetched_at

    run(scenario())


def test_older_set_of_the_fleet_is_offered_when_the_fetch_fails(run: Run) -> None:
    """It is better than none, and no worse than a newer one that is held."""

    async def scenario() -> None:
        clock = FakeClock()
        one, _ = members(clock)
        shared = entry(clock)
        await one.publish(shared, 2.0)
        clock.forward(700.0)
        down = Issuer(clock, FetchFailure.CONNECT)
        with pytest.raises(StaleEntryError) as failed:
            await one.refresh(RefreshRequest(Trigger.LOOKUP, None), down.fetch)
        assert failed.value.entry.fetched_at == shared.fetched_at
        assert failed.value.failure is FetchFailure.CONNECT
        with pytest.raises(FetchError) as without:
            await one.refresh(RefreshRequest(Trigger.LOOKUP, entry(clock)), down.fetch)
        assert not isinstance(without.value, StaleEntryError)

    run(scenario())


def test_lease_that_others_hold_in_turn_is_waited_for_at_most_the_total_timeout(run: Run) -> None:
    """Each of their leases is good, and nothing ever comes of them: then this process fetches, and ignores leases."""

    class Impatient(FakeClock):
        def monotonic(self) -> float:
            self.forward(0.2)
            return super().monotonic()

    async def scenario() -> None:
        clock = Impatient()
        one, other = members(clock, total_timeout=2.0)
        issuer = Issuer(clock)
        taken = one._lease.acquire

        async def lost() -> bool:
            await other._lease.release()
            await other._lease.acquire()
            return await taken()

        one._lease.acquire = lost  # type: ignore[method-assign]
        await one.refresh(unknown(None), issuer.fetch)
        assert len(issuer.asked) == 1
        assert one._lease.ignored

    run(scenario())


def test_response_after_the_wall_clock_was_set_back_is_newer_all_the_same(run: Run) -> None:
    """Else the fleet, which compares the times of requests, would never accept it."""

    async def scenario() -> None:
        clock = FakeClock()
        options = JWKSOptions()
        client = IssuerHTTPClient(options.http_settings(), clock=clock)
        refresher = Refresher(Static(OTHER), client, options, clock)
        held = replace(entry(clock), fetched_at=clock.now() + 100.0)
        assert (await refresher.fetch(held)).fetched_at > held.fetched_at

    run(scenario())
