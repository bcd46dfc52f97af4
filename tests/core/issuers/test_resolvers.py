"""Resolvers over time: how long a result is cached, what a failure changes, and what unknown issuers cost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bearward import AuthError, KeysNeededError, Refusal, TrustedIssuer, Verifier
from bearward.events import Event, Refused, only
from bearward.issuers.resolvers import Resolvers
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fake_clock import FakeClock

AUDIENCE = "https://api.example"
KNOWN = LocalIssuer(algorithms=["ES256"], identifier="https://known.example")
TRUST = TrustedIssuer(KNOWN.url, audience=AUDIENCE, jwks=KNOWN.keys.jwks())


def good(issuer: LocalIssuer = KNOWN, **claims: Any) -> str:
    """A token that outlives every test here, by whatever clock."""
    return issuer.mint(claims={"iat": 1_700_000_000, "exp": 2_500_000_000, **claims})


class Resolver:
    """Answers what it is told to, and counts the questions."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {KNOWN.url: TRUST}
        self.failure: Exception | None = None
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, issuer: str) -> TrustedIssuer | None:
        """The answer for `issuer`, once the gate is open."""
        self.asked.append(issuer)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        answer: TrustedIssuer | None = self.answers.get(issuer)
        return answer


async def settled() -> None:
    """Let everything run that can run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def refusal(verifier: Verifier, token: str) -> Refusal:
    """Why `token` is refused."""
    with pytest.raises(AuthError) as refused:
        await verifier.verify(token)
    return refused.value.refusal


def test_positive_result_is_refreshed_in_the_background(run: Run) -> None:
    """After five minutes; nobody waits for it, and many callers cause one question."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            token = good()
            await verifier.verify(token)
            clock.forward(299)
            verifier.verify_now(good())
            assert len(resolver.asked) == 1
            clock.forward(2)
            for _ in range(20):
                verifier.verify_now(good())
            await settled()
            assert len(resolver.asked) == 2

    run(scenario())


def test_negative_result_ends_cached_tokens_keys_and_watches(run: Run) -> None:
    """Neither by the policy that was remembered, nor by keys, nor by a token that was verified before."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            token = good()
            principal = await verifier.verify(token)
            ended: list[AuthError] = []
            verifier.watch(principal, ended.append)
            resolver.answers = {}
            clock.forward(301)
            await verifier.verify(good())  # has it asked
            await settled()
            assert await refusal(verifier, token) is Refusal.ISSUER_UNTRUSTED
            await settled()
            assert [error.refusal for error in ended] == [Refusal.ISSUER_UNTRUSTED]

    run(scenario())


def test_changed_issuer_settings_take_effect(run: Run) -> None:
    """Other keys, and other rules for tokens that were verified before."""
    resolver, clock = Resolver(), FakeClock()
    other = LocalIssuer(algorithms=["ES256"], identifier=KNOWN.url)

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            await verifier.verify(good())
            resolver.answers = {KNOWN.url: replace(TRUST, jwks=other.keys.jwks())}
            clock.forward(400)
            await verifier.verify(good(other))
            assert await refusal(verifier, good()) is Refusal.KEY_UNKNOWN

    run(scenario())


def test_callers_who_wait_for_one_lookup_are_each_refused_and_reported(run: Run) -> None:
    """They share the lookup, and not the error, which would be reported once for all of them."""

    async def work() -> None:
        resolver, events = Resolver(), list[Event]()
        resolver.failure = OSError("down")
        resolver.open.clear()
        async with Verifier(resolver, observers=[only(events.append, Refused)]) as verifier:
            waiting = [asyncio.create_task(verifier.verify(good(sub=name))) for name in ("ada", "ben", "cyd")]
            await settled()
            resolver.open.set()
            refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert resolver.asked == [KNOWN.url]
        assert len({id(error) for error in refused}) == 3
        assert events == [Refused(Refusal.KEYS_UNAVAILABLE)] * 3

    run(work())


def test_failing_resolver_keeps_known_issuers_for_an_hour(run: Run) -> None:
    """And is not asked for each request meanwhile; after the hour it is our fault."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            await verifier.verify(good())
            resolver.failure = OSError("down")
            clock.forward(3000)
            for _ in range(20):
                await verifier.verify(good())
            assert len(resolver.asked) == 2
            resolver.open.clear()  # from now on it hangs, and nobody waits for it
            clock.forward(5)
            for _ in range(20):
                verifier.verify_now(good())
            await settled()
            assert len(resolver.asked) == 3
            resolver.open.set()
            await settled()
            clock.forward(896)
            assert await refusal(verifier, good()) is Refusal.KEYS_UNAVAILABLE
            resolver.failure = None
            await verifier.verify(good())

    run(scenario())


def test_resolver_ttls_use_the_monotonic_clock(run: Run) -> None:
    """A negative result is cached for a minute of real time."""

    class SetBack(FakeClock):
        behind = 0.0

        def now(self) -> float:
            return super().now() - self.behind

    resolver, clock = Resolver(), SetBack()
    resolver.answers = {}

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            assert await refusal(verifier, good()) is Refusal.ISSUER_UNTRUSTED
            resolver.answers = {KNOWN.url: TRUST}
            clock.behind = 3600.0
            clock.forward(61)
            await verifier.verify(good())

    run(scenario())


def test_invented_issuers_neither_evict_nor_delay_known_ones(run: Run) -> None:
    """Ten thousand invented issuers, and as many as may be asked about at a time without an answer."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            await verifier.verify(good())
            for number in range(10_000):
                with pytest.raises(AuthError):
                    await verifier._issuers.find(f"https://unknown{number}.example")
            verifier.verify_now(good())
            resolver.open.clear()
            invented = [
                asyncio.create_task(refusal(verifier, good(iss=f"https://other{number}.example")))
                for number in range(64)
            ]
            await settled()
            assert await refusal(verifier, good(iss="https://more.example")) is Refusal.KEYS_UNAVAILABLE
            clock.forward(1000)
            waiting = asyncio.create_task(verifier.verify(good()))
            await settled()
            resolver.open.set()
            assert (await waiting).issuer == KNOWN.url
            assert set(await asyncio.gather(*invented)) == {Refusal.ISSUER_UNTRUSTED}

    run(scenario())
    assert resolver.asked.count(KNOWN.url) == 2


@pytest.mark.parametrize("answer", ["https://known.example", 1, object()])
def test_resolver_result_of_a_wrong_type_is_keys_unavailable(answer: object, run: Run) -> None:
    """A resolver with a bug raises nothing at a caller."""
    resolver = Resolver()
    resolver.answers = {KNOWN.url: answer}

    async def scenario() -> None:
        async with Verifier(resolver) as verifier:
            assert await refusal(verifier, good()) is Refusal.KEYS_UNAVAILABLE

    run(scenario())


def test_resolvers_work_on_two_loops_at_once(run: Run) -> None:
    """Each waits for its own question: a task of one loop cannot be awaited on another."""
    barrier = threading.Barrier(2, timeout=30)

    async def resolve(issuer: str) -> TrustedIssuer | None:
        await asyncio.to_thread(barrier.wait)
        return TRUST

    verifier = Verifier(resolve)
    found: list[str] = []

    def on_a_loop_of_its_own() -> None:
        found.append(asyncio.run(verifier._issuers.find(KNOWN.url))[0].issuer)

    threads = [threading.Thread(target=on_a_loop_of_its_own) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [KNOWN.url] * 2


def test_resolver_task_of_closed_loop_is_ignored(run: Run) -> None:
    """A loop that was closed meanwhile serves no caller, and takes no place from others."""
    resolver = Resolver()
    verifier = Verifier(resolver)
    invented = [f"https://unknown{number}.example" for number in range(64)]

    async def begin() -> None:
        resolver.open = asyncio.Event()
        for issuer in invented:
            verifier._issuers._resolvers._look_up(issuer)
        await settled()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    left = asyncio.all_tasks(loop)
    loop.close()
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # that is the very point here
        task.get_coro().close()

    async def scenario() -> None:
        resolver.open.set()
        assert (await verifier.verify(good())).issuer == KNOWN.url
        with pytest.raises(KeysNeededError):
            verifier._issuers.known(invented[0])
        await verifier.aclose()

    run(scenario())


def test_errors_of_resolvers_are_logged_once_a_minute(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Any caller can name any issuer: neither their number nor their names reach the log."""
    resolver, clock = Resolver(), FakeClock()
    resolver.failure = OSError("down, says s3cr3t")

    async def scenario() -> None:
        async with Verifier(resolver, clock=clock) as verifier:
            for minute in range(3):
                for number in range(50):
                    token = good(iss=f"https://invented{minute}-{number}.example")
                    assert await refusal(verifier, token) is Refusal.KEYS_UNAVAILABLE
                clock.forward(61)

    run(scenario())
    lines = [record.getMessage() for record in caplog.records]
    first, more = "an issuer resolver failed: OSError", " (49 more errors in the last minutes)"
    assert lines == [first, first + more, first + more]


@pytest.mark.parametrize("name", ["urn:a\nERROR bearward.jwks: forged", "urn:a\x1b[2J", "urn:a\u2028b", "urn:\u202ea"])
def test_name_that_could_forge_a_line_of_the_log_is_trusted_by_no_resolver(run: Run, name: str) -> None:
    """A tenant that chooses its own `iss` writes nothing else into a log; the resolver is not even asked."""
    resolver = Resolver()

    async def scenario() -> None:
        async with Verifier(resolver) as verifier:
            assert await refusal(verifier, good(iss=name)) is Refusal.ISSUER_UNTRUSTED

    run(scenario())
    assert resolver.asked == []


@pytest.mark.parametrize(("length", "asked"), [(1024, 1), (1025, 0)])
def test_resolver_is_asked_about_no_name_longer_than_1024_characters(run: Run, length: int, asked: int) -> None:
    """What a caller invents sets neither the size of what is remembered nor that of a resolver's question."""
    resolver = Resolver()
    name = KNOWN.url.ljust(length, "x")

    async def scenario() -> None:
        async with Verifier(resolver) as verifier:
            assert await refusal(verifier, good(iss=name)) is Refusal.ISSUER_UNTRUSTED

    run(scenario())
    assert len(resolver.asked) == asked


def test_resolver_cannot_vouch_for_keys_that_are_published_one_by_one(run: Run) -> None:
    """A token's `kid` would choose what is fetched, for whomever a resolver happens to know."""
    resolver = Resolver()
    resolver.answers = {
        KNOWN.url: TrustedIssuer(
            KNOWN.url, audience=AUDIENCE, pem_uri="https://keys.example/{kid}", algorithms=["ES256"]
        )
    }

    async def scenario() -> None:
        async with Verifier(resolver) as verifier:
            assert await refusal(verifier, good()) is Refusal.KEYS_UNAVAILABLE
            with pytest.raises(KeysNeededError):
                verifier._issuers.known(KNOWN.url)

    run(scenario())


@pytest.mark.parametrize("newer_is_no", [True, False])
def test_result_of_the_later_lookup_wins(run: Run, newer_is_no: bool) -> None:
    """Two loops look an issuer up at the same time, and the older result comes last: it changes nothing."""
    clock = FakeClock()
    resolvers = Resolvers([], clock, lambda _: None)
    older, newer = (TRUST, None) if newer_is_no else (None, TRUST)
    resolvers._record(KNOWN.url, newer, clock.monotonic() + 1)
    resolvers._record(KNOWN.url, older, clock.monotonic())
    assert (KNOWN.url in resolvers._trusted) is not newer_is_no
    assert (KNOWN.url in resolvers._untrusted) is newer_is_no


def test_live_call_is_judged_by_the_last_result(run: Run) -> None:
    """Where nothing is known any more that is our trouble, and no reason to end it; where nobody knows issuers, it is."""

    def refused_by(resolvers: Resolvers, issuer: str) -> tuple[Refusal, float | None]:
        with pytest.raises(AuthError) as refused:
            resolvers.last_known(issuer)
        return refused.value.refusal, refused.value.retry_after

    async def scenario() -> None:
        resolvers, nobody = (Resolvers(some, FakeClock(), lambda _: None) for some in ([Resolver()], []))
        assert refused_by(resolvers, KNOWN.url) == (Refusal.KEYS_UNAVAILABLE, 1.0)
        assert await resolvers.find(KNOWN.url) is resolvers.last_known(KNOWN.url)
        with pytest.raises(AuthError):
            await resolvers.find("https://other.example")
        assert refused_by(resolvers, "https://other.example") == (Refusal.ISSUER_UNTRUSTED, None)
        assert refused_by(nobody, KNOWN.url) == (Refusal.ISSUER_UNTRUSTED, None)

    run(scenario())


@pytest.mark.parametrize("trusted", [True, False])
def test_oldest_of_4096_results_is_forgotten_first(run: Run, trusted: bool) -> None:
    """Whoever invents issuers fills no memory: the first is asked about again, the last are not."""
    asked: list[str] = []

    async def resolver(issuer: str) -> TrustedIssuer | None:
        asked.append(issuer)
        return replace(TRUST, issuer=issuer) if trusted else None

    async def scenario() -> None:
        resolvers = Resolvers([resolver], FakeClock(), lambda _: None)

        async def find(number: int) -> None:
            with suppress(AuthError):
                await resolvers.find(f"https://{number}.example")

        for number in range(4097):
            await find(number)
        for number in (4096, 2, 1):
            await find(number)
        assert len(asked) == 4097
        await find(0)
        assert asked[4097:] == ["https://0.example"]

    run(scenario())


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([TRUST, TRUST], 0),
        ([TRUST, replace(TRUST, leeway=5)], 1),
        ([TRUST, None], 1),
        ([None, None], 0),
        ([None, TRUST], 0),
        ([TRUST, None, TRUST], 1),
    ],
)
def test_change_is_told_where_something_was_known(run: Run, answers: list[TrustedIssuer | None], told: int) -> None:
    """What rests on the result before is looked at anew: an issuer that nobody knew has nothing that rests on it."""
    clock, changed = FakeClock(), list[str]()

    async def scenario() -> None:
        resolver = Resolver()
        resolvers = Resolvers([resolver], clock, changed.append)
        for answer in answers:
            resolver.answers = {KNOWN.url: answer}
            clock.forward(601)  # later than any result may be used without a question
            with suppress(AuthError):
                await resolvers.find(KNOWN.url)
            await settled()

    run(scenario())
    assert changed == [KNOWN.url] * told
