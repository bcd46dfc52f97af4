"""What is kept of a resolver's results: to the second for how long, for whom, and what a lookup leaves behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bearward import AuthError, KeysNeededError, Refusal, TrustedIssuer
from bearward.issuers.resolvers import Resolvers
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.issuers.test_resolvers import KNOWN, TRUST, Resolver, settled

OTHERS = [f"https://{number}.example" for number in range(4100)]


async def trust(issuer: str) -> TrustedIssuer:
    """A resolver that vouches for everybody."""
    return replace(TRUST, issuer=issuer)


def refusal_of(resolvers: Resolvers, issuer: str = KNOWN.url) -> Refusal | None:
    """By the last result, for a call that was admitted."""
    try:
        resolvers.last_known(issuer)
    except AuthError as refused:
        return refused.refusal
    return None


async def push_out(resolvers: Resolvers) -> None:
    """Have so many issuers looked up that the oldest are forgotten."""
    for issuer in OTHERS:
        await resolvers.find(issuer)


AGES = [
    # seconds, while the resolver fails, used without waiting, asked again
    (299.0, False, True, False),
    (300.0, False, True, True),
    (359.0, False, True, True),
    (360.0, False, False, False),
    (359.0, True, True, True),
    (360.0, True, True, True),
    (3899.0, True, True, True),
    (3900.0, True, False, False),
]


@pytest.mark.parametrize(("seconds", "failing", "used", "asked"), AGES)
def test_result_is_used_and_renewed_by_its_age(
    seconds: float, failing: bool, used: bool, asked: bool, run: Run
) -> None:
    """Five minutes; a minute more while it is renewed, and an hour while the resolver fails."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        resolvers = Resolvers([resolver], clock, lambda _: None)
        await resolvers.find(KNOWN.url)
        if failing:
            clock.forward(300)
            resolver.failure = OSError("down")
            await resolvers.find(KNOWN.url)
            await settled()
            clock.forward(-300)
        resolver.open.clear()
        before = len(resolver.asked)
        clock.forward(seconds)
        if used:
            assert resolvers.known(KNOWN.url) is TRUST
        else:
            with pytest.raises(KeysNeededError):
                resolvers.known(KNOWN.url)
        await settled()
        assert len(resolver.asked) - before == asked
        resolver.open.set()
        await settled()

    run(scenario())


@pytest.mark.parametrize(
    ("seconds", "failed", "used"), [(359.0, False, True), (360.0, True, False), (359.0, True, True)]
)
def test_thread_without_a_loop_uses_a_result_for_a_minute_more(
    seconds: float, failed: bool, used: bool, run: Run
) -> None:
    """It cannot have it renewed; the next caller on a loop does."""
    resolver, clock = Resolver(), FakeClock()
    resolvers = Resolvers([resolver], clock, lambda _: None)
    run(_found(resolvers))
    if failed:
        clock.forward(300)
        resolver.failure = OSError("down")
        run(_found(resolvers))
        clock.forward(-300)
    clock.forward(seconds)
    known: list[bool] = []

    def look() -> None:
        try:
            resolvers.known(KNOWN.url)
        except KeysNeededError:
            known.append(False)
        else:
            known.append(True)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert known == [used]


async def _found(resolvers: Resolvers) -> None:
    await resolvers.find(KNOWN.url)
    await settled()


@pytest.mark.parametrize(("seconds", "lines"), [(59.9, 1), (60.0, 2)])
def test_error_of_a_resolver_is_logged_again_after_a_minute(
    seconds: float, lines: int, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """To the second, by the monotonic clock."""
    resolver, clock = Resolver(), FakeClock()
    resolver.failure = OSError("down")

    async def scenario() -> None:
        resolvers = Resolvers([resolver], clock, lambda _: None)
        for _ in range(2):
            with pytest.raises(AuthError):
                await resolvers.find(KNOWN.url)
            clock.forward(seconds)

    run(scenario())
    assert len(caplog.records) == lines


ODD = {
    "a text": ("https://known.example", "an issuer resolver failed: TypeError", Refusal.KEYS_UNAVAILABLE),
    "another issuer": (
        replace(TRUST, issuer="https://other.example"),
        "an issuer resolver returned the settings of another issuer",
        Refusal.ISSUER_UNTRUSTED,
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_result_of_a_resolver_is_one_line(what: str, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever wrote it reads there what is wrong with it."""
    result, line, refusal = ODD[what]
    resolver = Resolver()
    resolver.answers = {KNOWN.url: result}

    async def scenario() -> None:
        with pytest.raises(AuthError) as refused:
            await Resolvers([resolver], FakeClock(), lambda _: None).find(KNOWN.url)
        assert refused.value.refusal is refusal

    run(scenario())
    assert [record.getMessage() for record in caplog.records] == [line]


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is cancelled, and was for a live call"])
def test_lookup_that_nobody_waits_for_ends_without_a_word(how: str, run: Run) -> None:
    """No error of the loop says what nobody could do anything about."""
    resolver, unhandled = Resolver(), list[dict[str, Any]]()
    resolver.open.clear()
    resolver.failure = OSError("down")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        resolvers = Resolvers([resolver], FakeClock(), lambda _: None)
        if how.endswith("live call"):
            resolvers.refresh(KNOWN.url)
        else:
            caller = asyncio.create_task(resolvers.find(KNOWN.url))
            await settled()
            caller.cancel()
        await settled()
        (looking,) = resolvers._pending.values()
        if how == "fails":
            resolver.open.set()
        else:
            looking.cancel()
        del looking
        await settled()
        gc.collect()
        await settled()
        assert not resolvers._pending

    run(scenario())
    assert unhandled == []


def test_failed_lookup_for_a_live_call_ends_without_a_word(run: Run) -> None:
    """Nothing is known of its issuer then, and nothing is noted."""
    resolver, unhandled = Resolver(), list[dict[str, Any]]()
    resolver.failure = OSError("down")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        resolvers = Resolvers([resolver], FakeClock(), lambda _: None)
        resolvers.refresh(KNOWN.url)
        await settled()
        assert refusal_of(resolvers) is Refusal.KEYS_UNAVAILABLE

    run(scenario())
    assert unhandled == []


def test_issuer_of_a_live_call_is_pushed_out_by_none(run: Run) -> None:
    """Four thousand others, of live calls or not, leave it known: a call ends by a result, and not for want of one."""

    async def scenario() -> None:
        resolvers = Resolvers([trust], FakeClock(), lambda _: None)
        resolvers.refresh(KNOWN.url)
        for issuer in OTHERS:
            resolvers.refresh(issuer)
            await asyncio.sleep(0)
        await settled()
        assert KNOWN.url not in resolvers._trusted
        assert refusal_of(resolvers) is None
        await resolvers.find("https://of-no-live-call.example")
        assert len(resolvers._admitted) == 1 + len(OTHERS)

    run(scenario())


def test_live_call_learns_what_any_lookup_found(run: Run) -> None:
    """Its issuer was pushed out, and somebody else's token has it looked up: the result is that of the live call, too."""
    resolver = Resolver()
    resolver.answers |= {issuer: replace(TRUST, issuer=issuer) for issuer in OTHERS}

    async def scenario() -> None:
        resolvers = Resolvers([resolver], FakeClock(), lambda _: None)
        resolvers.refresh(KNOWN.url)
        await settled()
        await push_out(resolvers)
        del resolver.answers[KNOWN.url]
        with suppress(AuthError):
            await resolvers.find(KNOWN.url)
        assert refusal_of(resolvers) is Refusal.ISSUER_UNTRUSTED

    run(scenario())


def test_result_that_was_pushed_out_at_once_is_not_a_negative_one(run: Run) -> None:
    """A live call whose issuer is trusted, and already forgotten again, is not ended by that."""

    async def scenario() -> None:
        resolvers = Resolvers([trust], FakeClock(), lambda _: None)
        looking = resolvers._look_up(KNOWN.url, invented=False)
        await looking
        resolvers._trusted.clear()
        resolvers._note_admitted(KNOWN.url, looking)
        assert refusal_of(resolvers) is Refusal.KEYS_UNAVAILABLE

    run(scenario())


@pytest.mark.parametrize(("seconds", "asked"), [(299.0, 0), (300.0, 1)])
def test_live_call_has_its_issuer_looked_up_after_five_minutes(seconds: float, asked: int, run: Run) -> None:
    """Not before, however often it is looked at."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        resolvers = Resolvers([resolver], clock, lambda _: None)
        await resolvers.find(KNOWN.url)
        clock.forward(seconds)
        for _ in range(3):
            resolvers.refresh(KNOWN.url)
        await settled()
        assert len(resolver.asked) == 1 + asked

    run(scenario())


@pytest.mark.parametrize(("seconds", "used"), [(3899.0, True), (3900.0, False)])
def test_failing_resolver_leaves_a_caller_who_waits_the_old_result(seconds: float, used: bool, run: Run) -> None:
    """For an hour after its five minutes, to the second."""
    resolver, clock = Resolver(), FakeClock()

    async def scenario() -> None:
        resolvers = Resolvers([resolver], clock, lambda _: None)
        await resolvers.find(KNOWN.url)
        clock.forward(seconds)
        resolver.failure = OSError("down")
        if used:
            assert await resolvers.find(KNOWN.url) is TRUST
        else:
            with pytest.raises(AuthError):
                await resolvers.find(KNOWN.url)

    run(scenario())


def test_live_call_that_was_looked_up_last_is_kept_longest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on issuers of live calls leaves out whoever was not looked up for the longest time."""
    monkeypatch.setattr("bearward.issuers.resolvers._MAX_ADMITTED", 2)
    clock = FakeClock()

    async def scenario() -> None:
        resolvers = Resolvers([trust], clock, lambda _: None)
        for issuer in (*OTHERS[:2], OTHERS[0], OTHERS[2]):
            clock.forward(300)
            resolvers.refresh(issuer)
            await settled()
        assert list(resolvers._admitted) == [OTHERS[0], OTHERS[2]]

    run(scenario())


def test_negative_result_ends_with_a_positive_one(run: Run) -> None:
    """Also where that is forgotten later: then nothing is known, and nobody is said to be untrusted."""
    resolver, clock = Resolver(), FakeClock()
    resolver.answers = {issuer: replace(TRUST, issuer=issuer) for issuer in OTHERS}

    async def scenario() -> None:
        resolvers = Resolvers([resolver], clock, lambda _: None)
        with suppress(AuthError):
            await resolvers.find(KNOWN.url)
        clock.forward(60)
        resolver.answers[KNOWN.url] = TRUST
        await resolvers.find(KNOWN.url)
        await push_out(resolvers)
        assert refusal_of(resolvers) is Refusal.KEYS_UNAVAILABLE

    run(scenario())


def test_renewed_result_is_a_new_one(run: Run) -> None:
    """The oldest is forgotten first: whoever was looked up again just now is not."""
    clock = FakeClock()

    async def scenario() -> None:
        resolvers = Resolvers([trust], clock, lambda _: None)
        for issuer in OTHERS[:4096]:
            await resolvers.find(issuer)
        clock.forward(400)
        await resolvers.find(OTHERS[0])
        await resolvers.find(OTHERS[4096])
        assert OTHERS[0] in resolvers._trusted
        assert OTHERS[1] not in resolvers._trusted

    run(scenario())


@pytest.mark.parametrize("last", [TRUST, None], ids=["trusted", "untrusted"])
def test_of_two_results_of_one_instant_the_last_one_counts(last: TrustedIssuer | None) -> None:
    """A clock has its grain."""
    clock = FakeClock()
    resolvers = Resolvers([], clock, lambda _: None)
    resolvers._record(KNOWN.url, None if last else TRUST, clock.monotonic())
    resolvers._record(KNOWN.url, last, clock.monotonic())
    assert (KNOWN.url in resolvers._trusted) is (last is not None)
