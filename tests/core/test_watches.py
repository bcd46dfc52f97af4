"""Watches: whoever holds a live call is told once when its token has ended, and why."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest

from bearward import AuthError, JWKSOptions, Principal, Refusal, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward.watches import Watch, Watches, weak_listener
from tests.conftest import Run
from tests.core.jwks.support import eventually
from tests.core.skipping_loop import SkippingLoop

AUDIENCE = "https://api.example"
T = TypeVar("T")


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


async def revoke(verifier: Verifier, issuer: LocalIssuer) -> None:
    """Revoke all that ada was given."""
    verifier.revocations.revoke_subject(issuer.url, "ada", before=verifier.now() + 1)


async def withdraw(verifier: Verifier, issuer: LocalIssuer) -> None:
    """Withdraw the key that signed, and let the verifier see it."""
    issuer.withdraw(issuer.key())
    issuer.rotate()
    await verifier.verify(issuer.mint())


async def wait(verifier: Verifier, issuer: LocalIssuer) -> None:
    """The token of this case lives one second."""


@pytest.mark.parametrize(
    ("event", "lifetime", "refusal"),
    [
        (revoke, 300, Refusal.TOKEN_REVOKED),
        (withdraw, 300, Refusal.KEY_WITHDRAWN),
        (wait, 1, Refusal.TOKEN_EXPIRED),
    ],
)
def test_watch_reports_the_end_once(
    issuer: LocalIssuer,
    run: Run,
    event: Callable[[Verifier, LocalIssuer], Awaitable[None]],
    lifetime: float,
    refusal: Refusal,
) -> None:
    """Expiry, the withdrawal of the key and revocation each end a watch, with their own code."""

    async def use() -> list[AuthError]:
        async with _verifier(issuer) as verifier:
            told: list[AuthError] = []
            ended = asyncio.Event()

            def on_end(error: AuthError) -> None:
                told.append(error)
                ended.set()

            verifier.watch(await verifier.verify(issuer.mint(sub="ada", expires_in=lifetime)), on_end)
            await event(verifier, issuer)
            await asyncio.wait_for(ended.wait(), 30)
            await revoke(verifier, issuer)
            await asyncio.sleep(0)
            return told

    assert [error.refusal for error in run(use())] == [refusal]


@pytest.mark.parametrize(("event", "refusal"), [(revoke, Refusal.TOKEN_REVOKED), (withdraw, Refusal.KEY_WITHDRAWN)])
def test_watch_on_an_ended_token_reports_immediately(
    issuer: LocalIssuer, run: Run, event: Callable[[Verifier, LocalIssuer], Awaitable[None]], refusal: Refusal
) -> None:
    """What ended the token between its verification and the watch is not missed: it would not be reported again."""

    async def use() -> Refusal:
        async with _verifier(issuer) as verifier:
            principal = await verifier.verify(issuer.mint(sub="ada"))
            await event(verifier, issuer)
            ended: asyncio.Future[AuthError] = asyncio.get_running_loop().create_future()
            verifier.watch(principal, ended.set_result)
            return (await asyncio.wait_for(ended, 30)).refusal

    assert run(use()) is refusal


def test_closed_watch_reports_nothing(issuer: LocalIssuer, run: Run) -> None:
    """After `close` nothing is told, and closing twice is harmless."""

    async def use() -> list[AuthError]:
        async with _verifier(issuer) as verifier:
            told: list[AuthError] = []
            watch = verifier.watch(await verifier.verify(issuer.mint(sub="ada")), told.append)
            watch.close()
            watch.close()
            await revoke(verifier, issuer)
            for _ in range(3):
                await asyncio.sleep(0)
            return told

    assert run(use()) == []


def test_closed_watch_is_not_revived_by_a_newer_token(issuer: LocalIssuer, run: Run) -> None:
    """A call may end while its client authenticates again: nothing is watched, and nothing told, after that."""

    async def use() -> None:
        async with _verifier(issuer) as verifier:
            told: list[AuthError] = []
            watch = verifier.watch(await verifier.verify(issuer.mint(sub="bob")), told.append)
            watch.close()
            watch.extend(await verifier.verify(issuer.mint(sub="ada")))
            await revoke(verifier, issuer)
            await asyncio.sleep(0.05)
            assert told == []
            assert verifier.live_streams == 0

    run(use())


def test_closed_watch_holds_on_to_nothing() -> None:
    """The memory of a call is free once it has ended, and not only when the next look would have come."""

    class Call:
        def on_end(self, error: AuthError) -> None:
            """What a call does when its token ends."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> None:
        call = Call()
        watch = verifier.watch(verifier.verify_now(issuer.mint()), call.on_end)
        await asyncio.sleep(1.0)
        watch.close()
        gone = weakref.ref(call)
        del watch, call
        gc.collect()
        assert gone() is None

    watching(use)


def test_change_that_concerns_nobody_any_more_is_harmless() -> None:
    """Shared revocations may outlive a verifier that was dropped."""
    watches = Watches(lambda _, leeway: leeway)
    listener = weak_listener(watches)
    del watches
    gc.collect()
    listener(None)


def watching(use: Callable[[SkippingLoop, Verifier, LocalIssuer], Awaitable[T]]) -> T:
    """Use a verifier on a loop that does not wait."""
    loop = SkippingLoop()
    issuer = LocalIssuer(algorithms=["ES256"], clock=loop)
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_awaited(use(loop, Verifier(policy, clock=loop), issuer)))


async def _awaited(result: Awaitable[T]) -> T:
    return await result


def test_watch_can_be_extended_to_a_newer_token() -> None:
    """`extend` moves the end to that of the new token, which is then the one that is watched."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> Refusal:
        ended: asyncio.Future[AuthError] = loop.create_future()
        first = verifier.verify_now(issuer.mint(sub="ada", expires_in=60))
        longer = verifier.verify_now(issuer.mint(sub="ada", expires_in=300))
        watch = verifier.watch(first, ended.set_result)
        watch.extend(longer)
        assert watch.principal is longer
        await asyncio.sleep(100.0)
        assert not ended.done()
        await revoke(verifier, issuer)
        return (await ended).refusal

    assert watching(use) is Refusal.TOKEN_REVOKED


def test_watch_that_is_extended_by_a_shorter_token_ends_with_that() -> None:
    """Whatever its timer was set to: a newer token may end sooner."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> float:
        ended: asyncio.Future[AuthError] = loop.create_future()
        first = verifier.verify_now(issuer.mint(sub="ada", expires_in=3600))
        watch = verifier.watch(first, ended.set_result)
        await asyncio.sleep(0)
        watch.extend(verifier.verify_now(issuer.mint(sub="ada", expires_in=2)))
        began = loop.passed
        assert (await ended).refusal is Refusal.TOKEN_EXPIRED
        return loop.passed - began

    assert watching(use) <= 2.1


def test_watch_leeway_delays_the_end() -> None:
    """With a leeway the end comes that much later than the token's own."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> float:
        ended: asyncio.Future[AuthError] = loop.create_future()
        principal = verifier.verify_now(issuer.mint(expires_in=60))
        verifier.watch(principal, ended.set_result, leeway=10.0)
        await ended
        return loop.wall - principal.expires_at

    assert 10.0 <= watching(use) <= 10.1


@pytest.mark.parametrize(
    ("after", "step", "at"),
    [(0.0, 0.0, 3600.0), (100.0, 7200.0, 130.0), (3590.0, 0.0, 3600.0), (3000.0, 590.0, 3030.0), (1000.0, -500.0, 4130.0)],
    ids=["no step", "forward beyond the end", "no step, late", "forward, just before the end", "back"],
)  # fmt: skip
def test_clock_step_is_noticed_within_half_a_minute(after: float, step: float, at: float) -> None:
    """A watch goes by the wall clock, whatever was its distance to the end when its timer was set."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> tuple[Refusal, float, float]:
        ended: asyncio.Future[AuthError] = loop.create_future()
        principal = verifier.verify_now(issuer.mint(expires_in=3600))
        verifier.watch(principal, ended.set_result)
        await asyncio.sleep(after)
        loop.wall += step
        refusal = (await ended).refusal
        return refusal, loop.passed, loop.wall - principal.expires_at

    refusal, passed, late = watching(use)
    assert refusal is Refusal.TOKEN_EXPIRED
    assert late >= 0.0
    assert passed <= at + 0.1


def test_suspended_machine_ends_streams_soon_after_it_wakes() -> None:
    """The event loop's timers stand still while it sleeps; half a minute later all is checked by the wall clock."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> float:
        ended: asyncio.Future[AuthError] = loop.create_future()
        verifier.watch(verifier.verify_now(issuer.mint(expires_in=3600)), ended.set_result)
        await asyncio.sleep(60.0)
        loop.suspend(8 * 3600.0)
        woken = loop.passed
        await ended
        return loop.passed - woken

    assert 0.0 <= watching(use) <= 30.0


def test_watches_that_began_together_do_not_look_together() -> None:
    """Thousands of streams spread their looks over the interval, and each looks twice a minute or more."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> list[float]:
        looks: list[float] = []
        recheck = verifier._watches.recheck

        def counting(principal: Principal, leeway: float) -> float:
            looks.append(loop.passed)
            return recheck(principal, leeway)

        verifier._watches.recheck = counting
        principal = verifier.verify_now(issuer.mint(expires_in=3600))
        watches = [verifier.watch(principal, lambda _: None) for _ in range(200)]
        await asyncio.sleep(60.5)
        for watch in watches:
            watch.close()
        return looks

    looks = watching(use)
    assert len(looks) >= 200 * 3
    later = [moment for moment in looks if moment > 0]
    assert max(sum(start <= moment < start + 1.0 for moment in later) for start in range(60)) <= 60


def test_many_watches_leave_room_for_others_on_their_loop() -> None:
    """A change that concerns all has a hundred look at a time, and other callbacks run between."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> list[int]:
        ended: list[AuthError] = []
        principal = verifier.verify_now(issuer.mint(sub="ada"))
        for _ in range(1000):
            verifier.watch(principal, ended.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await revoke(verifier, issuer)
        seen: list[int] = []
        while not seen or seen[-1] < 1000:
            await asyncio.sleep(0)
            seen.append(len(ended))
        return seen

    seen = watching(use)
    assert max(after - before for before, after in itertools.pairwise([0, *seen])) <= 200


def test_revocation_rechecks_only_affected_watches() -> None:
    """It costs in proportion to the streams that it ends, not to all that live."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> list[str | None]:
        for name in ("ada", "bob", "eve"):
            verifier.watch(verifier.verify_now(issuer.mint(sub=name)), lambda _: None)
        await asyncio.sleep(0)
        looked = rechecked(verifier)
        await revoke(verifier, issuer)
        await asyncio.sleep(0.1)
        return [principal.subject for principal in looked]

    assert watching(use) == ["ada"]


def rechecked(verifier: Verifier) -> list[Principal]:
    """Those who are rechecked from here on, as often as they are."""
    looked: list[Principal] = []
    recheck = verifier._watches.recheck

    def noting(principal: Principal, leeway: float) -> float:
        looked.append(principal)
        return recheck(principal, leeway)

    verifier._watches.recheck = noting
    return looked


def test_changes_add_no_timers() -> None:
    """Each change that concerns all has a watch look at once, and it goes on with one timer, however many there were."""

    async def use(loop: SkippingLoop, verifier: Verifier, issuer: LocalIssuer) -> tuple[int, int]:
        looked = rechecked(verifier)
        verifier.watch(verifier.verify_now(issuer.mint(expires_in=3600)), lambda _: None)
        await asyncio.sleep(0.01)
        looked.clear()
        for _ in range(50):
            verifier.revocations.invalidate_caches()
            await asyncio.sleep(0.01)
        at_once = len(looked)
        await asyncio.sleep(60.0)
        return at_once, len(looked) - at_once

    at_once, later = watching(use)
    assert at_once == 50
    assert 2 <= later <= 4


def test_changed_keys_recheck_the_watches_of_their_issuer_only(run: Run) -> None:
    """An issuer that rotates its keys costs the streams of the others nothing."""

    async def use(one: LocalIssuer, other: LocalIssuer) -> None:
        options = JWKSOptions(cooldown=0.0)
        policies = [TrustedIssuer(each.url, audience=AUDIENCE, jwks_options=options) for each in (one, other)]
        async with Verifier(*policies) as verifier:
            for each in (one, other):
                verifier.watch(await verifier.verify(each.mint()), lambda _: None)
            await asyncio.sleep(0.05)
            looked = rechecked(verifier)
            one.rotate()
            await verifier.verify(one.mint())
            await eventually(lambda: bool(looked), "the recheck")
            await asyncio.sleep(0.05)
            assert {principal.issuer for principal in looked} == {one.url}

    with LocalIssuer(algorithms=["ES256"]) as one, LocalIssuer(algorithms=["ES256"]) as other:
        run(use(one, other))


REVOKED: dict[str, Callable[[Verifier, Principal], None]] = {
    "token": lambda verifier, who: verifier.revocations.revoke_token(who.issuer, str(who.token_id), until=4e9),
    "session": lambda verifier, who: verifier.revocations.revoke_session(
        who.issuer, str(who.claims["sid"]), before=verifier.now() + 10
    ),
    "subject": lambda verifier, who: verifier.revocations.revoke_subject(
        who.issuer, str(who.subject), before=verifier.now() + 10
    ),
}


@pytest.mark.parametrize("kind", REVOKED)
def test_cost_of_a_revocation_is_that_of_its_watches(
    issuer: LocalIssuer, run: Run, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at no other, however many live: a log-out costs in proportion to the streams that it ends."""
    looked: list[Principal] = []
    look = Watch.look

    async def use() -> None:
        async with _verifier(issuer) as verifier:
            mint = partial(issuer.mint, claims={"sid": "x" * 200})
            who = await verifier.verify(mint(sub="ada"))
            others = [await verifier.verify(issuer.mint(sub=f"{number}", sid=f"{number}")) for number in range(50)]
            told: list[AuthError] = []
            for each in (who, *others):
                verifier.watch(each, told.append)
            renewed = verifier.watch(others[0], told.append)
            await asyncio.sleep(0)
            renewed.extend(who)  # from now on it is found by the names of the newer token
            await asyncio.sleep(0.05)
            looked.clear()
            REVOKED[kind](verifier, who)
            await asyncio.sleep(0.05)
            assert looked == [who, who]
            assert [error.refusal for error in told] == [Refusal.TOKEN_REVOKED] * 2
            looked.clear()
            REVOKED[kind](verifier, others[0])
            await asyncio.sleep(0.05)
            assert looked == [others[0]]
            for live in tuple(verifier._watches._live):
                live.close()
            assert not verifier._watches._live
            assert not verifier._watches._named

    def counted(watch: Watch) -> None:
        looked.append(watch.principal)
        look(watch)

    monkeypatch.setattr(Watch, "look", counted)
    run(use())


def _verifier(issuer: LocalIssuer) -> Verifier:
    return Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(cooldown=0.0)))


def test_watch_whose_end_fails_keeps_no_other_from_looking(issuer: LocalIssuer, run: Run) -> None:
    """All others of the same revocation are told at once, too."""

    async def use() -> None:
        loop, failed, told = asyncio.get_running_loop(), list[object](), list[AuthError]()
        loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

        def failing(_: AuthError) -> None:
            raise RuntimeError("of the program's")

        async with Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE)) as verifier:
            who = await verifier.verify(issuer.mint())
            ends = [failing, *[told.append] * 300]
            for end in ends:
                verifier.watch(who, end)
            await asyncio.sleep(0)
            verifier.revocations.revoke_token(who.issuer, str(who.token_id), until=4e9)
            for _ in range(100):  # turns of the loop, and no timer
                await asyncio.sleep(0)
            assert len(told) == 300
        assert [type(error) for error in failed] == [RuntimeError]

    run(use())


def test_watch_goes_on_after_a_bug(issuer: LocalIssuer, run: Run) -> None:
    """A look that fails in an unexpected way is followed by another one, a second later."""

    async def use() -> None:
        failed, told = list[object](), list[AuthError]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context["exception"]))
        async with Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE)) as verifier:
            who = await verifier.verify(issuer.mint())
            recheck = verifier._watches.recheck

            def buggy(principal: Principal, leeway: float) -> float:
                verifier._watches.recheck = recheck
                raise RuntimeError("a bug")

            verifier._watches.recheck = buggy
            verifier.watch(who, told.append)
            await eventually(lambda: bool(failed))
            verifier._watches.recheck = lambda *_: raised(Refusal.TOKEN_EXPIRED)
            await eventually(lambda: bool(told))

    run(use())


def raised(refusal: Refusal) -> float:
    """What ends a watch."""
    raise AuthError(refusal)
