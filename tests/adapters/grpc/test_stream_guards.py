"""The guards of streams where it is close: an abort and a write, a cancellation and an end, a queue and a token."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import grpc
import pytest

from bearward import AuthError, Principal, Refusal, TrustedIssuer, Verifier, own_check, requires
from bearward.testing import LocalIssuer, MovableClock
from bearward_grpc import authenticated, public
from bearward_grpc.aio.stream_guard import Guard
from bearward_grpc.call import Call
from bearward_grpc.status import RefusalCache
from bearward_grpc.threads.handlers import ThreadHandlerWrapper
from bearward_grpc.threads.stream_guard import ThreadGuard
from tests.adapters.grpc import servers
from tests.adapters.grpc.calls import TIMEOUT, Requests, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import SERVICE, Seen, serving
from tests.adapters.grpc.streaming import FIRST, revoke, until_unwatched, watched
from tests.conftest import Run


async def _start_writing(context: Any, writing: threading.Event) -> None:
    """Have a task write what the caller's window has no room for."""
    task = asyncio.create_task(context.write(b"x" * 5000))
    await asyncio.sleep(0)  # the write is under way
    context.add_done_callback(lambda _: task.done())  # and the task is kept
    writing.set()


def _refusing(form: str, writing: threading.Event) -> Callable[[Seen], dict[str, Any]]:
    """Handlers that refuse the call while their own task writes."""

    async def writer(_: bytes, context: Any) -> None:
        await _start_writing(context, writing)
        raise AuthError(Refusal.SCOPE_INSUFFICIENT)

    async def generator(_: bytes, context: Any) -> AsyncIterator[bytes]:
        await _start_writing(context, writing)
        raise AuthError(Refusal.SCOPE_INSUFFICIENT)
        yield b""  # never reached: it makes this an async generator

    return lambda _: {"US": writer if form == "writer" else generator}


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
@pytest.mark.parametrize("form", ["writer", "generator"])
@pytest.mark.parametrize(
    ("rule", "expiry"), [(authenticated, "terminate"), (authenticated, "ignore"), (public, "ignore")]
)
def test_abort_waits_for_pending_writes(rule: Any, expiry: str, form: str, kind: str, issuer: LocalIssuer) -> None:
    """The handler refuses while its own task still writes; the caller, who has not read yet, learns the status."""
    writing = threading.Event()
    with (
        serving(
            kind, trust(issuer), {SERVICE: rule}, behaviors=_refusing(form, writing), stream_expiry=expiry
        ) as server,
        RawCall(server.port, path("US"), bearer(issuer.mint()), window=0) as call,
    ):
        call.send(b"go", end=True)
        call.until_headers()
        assert writing.wait(TIMEOUT)
        call.open_window(1_000_000)
        reply = call.until_end()
    assert (reply.status, reply.headers[-1]["bearward-code"]) == (7, "scope_insufficient")


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
def test_handler_is_cancelled_after_its_blocked_write(kind: str, issuer: LocalIssuer) -> None:
    """The token ends during the write, which nothing interrupts; once it is done, nothing else keeps the stream."""
    writing = threading.Event()

    async def wait(_: bytes, context: Any) -> None:
        await _start_writing(context, writing)
        await asyncio.Event().wait()

    rules = {SERVICE: authenticated}
    with (
        serving(kind, trust(issuer), rules, behaviors=lambda _: {"US": wait}) as server,
        RawCall(server.port, path("US"), bearer(issuer.mint(jti=f"beside-{kind}")), window=0) as call,
    ):
        call.send(b"go", end=True)
        call.until_headers()
        assert writing.wait(TIMEOUT)
        revoke(server, issuer, f"beside-{kind}")
        until_unwatched(server)
        call.open_window(1_000_000)
        reply = call.until_end()
    assert (reply.status, reply.headers[-1]["bearward-code"]) == (16, "token_revoked")


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_response_after_the_tokens_end_is_not_sent(kind: str, issuer: LocalIssuer) -> None:
    """The handler has read all that it wanted, and returns too late."""
    reading, release = threading.Event(), threading.Event()

    def late(requests: Iterator[bytes], _: Any) -> bytes:
        next(requests)
        reading.set()
        release.wait(TIMEOUT)
        return b"too late"

    rules = {SERVICE: authenticated}
    with (
        serving(kind, trust(issuer), rules, behaviors=lambda _: {"SU": late}) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        requests.send(b"one")
        stub: Any = channel.stream_unary(path("SU"))
        call = stub.future(requests, timeout=TIMEOUT, metadata=bearer(issuer.mint(jti=f"late-{kind}")))
        assert reading.wait(TIMEOUT)
        revoke(server, issuer, f"late-{kind}")
        until_unwatched(server)
        release.set()
        # On grpc.server the call may have been cancelled from outside before the handler returned.
        assert call.exception(TIMEOUT).code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED}
        requests.close()


def test_calls_that_waited_longer_than_their_token_lives_run_no_handler(issuer: LocalIssuer) -> None:
    """Of many streams few have a worker; when the token ends, all end, and those that waited do not take turns."""
    workers, streams, started = 4, 40, threading.Semaphore(0)
    runs: list[int] = []

    def behaviors(_: Seen) -> dict[str, Any]:
        def idle(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
            runs.append(1)
            started.release()
            yield FIRST
            yield from requests

        return {"SS": idle}

    with (
        serving("sync", trust(issuer), {SERVICE: authenticated}, behaviors=behaviors, workers=workers) as server,
        channel_to(server.target) as channel,
    ):
        metadata = bearer(issuer.mint(jti="crowd"))
        held = [Requests() for _ in range(streams)]
        stub: Any = channel.stream_stream(path("SS"))
        calls = [stub(requests, timeout=TIMEOUT, metadata=metadata) for requests in held]
        for _ in range(workers):
            assert started.acquire(timeout=TIMEOUT)
        revoke(server, issuer, "crowd")
        outcomes = [collect(call) for call in calls]
        for requests in held:
            requests.close()
        until_unwatched(server)
    assert len(runs) == workers
    waited = [outcome for outcome in outcomes if outcome.code == "token_revoked"]
    assert len(waited) >= streams - workers
    assert {outcome.status for outcome in outcomes} <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED}


class _Queue(ThreadPoolExecutor):
    """A pool that tells of each call that it was given."""

    given = threading.Semaphore(0)

    def submit(self, *work: Any, **more: Any) -> Any:
        """As said there."""
        future = super().submit(*work, **more)
        self.given.release()
        return future


async def _passes(_: Principal) -> bool:
    return True


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("sync", authenticated), ("aio", authenticated), ("sync", requires(own_check(_passes, code="never")))],
    ids=["sync", "aio", "sync, after a check"],
)
@pytest.mark.parametrize("expiry", ["terminate", "ignore"])
def test_unary_call_that_waited_longer_than_its_token_lives_runs_no_handler(
    issuer: LocalIssuer, kind: str, rule: Any, expiry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes its turn once a thread is free, and is refused: nothing of it has begun."""
    clock, busy, release, runs = MovableClock(issuer.now()), threading.Event(), threading.Event(), list[bytes]()

    def behaviors(_: Seen) -> dict[str, Any]:
        def slow(request: bytes, _: Any) -> bytes:
            runs.append(request)
            busy.set()
            release.wait(TIMEOUT)
            return request

        return {"UU": slow}

    monkeypatch.setattr(_Queue, "given", threading.Semaphore(0))
    settings: dict[str, Any] = {}
    if rule is authenticated:
        monkeypatch.setattr(servers, "ThreadPoolExecutor", _Queue)
    else:  # what waits for the check passes the server's own pool, and then this one
        settings["pool"] = _Queue(1)
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks())
    metadata = bearer(issuer.mint(expires_in=60))
    with (
        serving(
            kind,
            Verifier(trusted, clock=clock),
            {SERVICE: rule},
            behaviors=behaviors,
            workers=1,
            stream_expiry=expiry,
            **settings,
        ) as server,
        channel_to(server.target) as channel,
    ):
        method: Any = channel.unary_unary(path("UU"))
        first = method.future(b"first", timeout=TIMEOUT, metadata=metadata)
        assert busy.wait(TIMEOUT)
        assert _Queue.given.acquire(timeout=TIMEOUT)
        second = method.future(b"second", timeout=TIMEOUT, metadata=metadata)
        assert _Queue.given.acquire(timeout=TIMEOUT)
        clock.advance(61)
        release.set()
        assert first.result() == b"first"
        assert second.code() is grpc.StatusCode.UNAUTHENTICATED
        assert dict(second.trailing_metadata())["bearward-code"] == "token_expired"
    assert runs == [b"first"]


@pytest.fixture
def guarded(issuer: LocalIssuer, run: Any) -> Callable[[Callable[[ThreadGuard, Any], Any]], Any]:
    """Runs a test on an event loop with a guard whose cancellation is seen, and which has a token to revoke."""

    def with_guard(work: Callable[[ThreadGuard, Any], Any]) -> Any:
        async def inside() -> Any:
            verifier, cancelled = trust(issuer), asyncio.Event()
            async with verifier:
                principal = await verifier.verify(issuer.mint(jti="guarded"))
                terms, ended = type("Terms", (), {"leeway": 0.0}), staticmethod(lambda *_: None)
                gate: Any = type("Gate", (), {"verifier": verifier, "streams": terms, "report_ended": ended})
                call = Call(gate, authenticated, principal, "token")
                guard = ThreadGuard(call, principal, asyncio.get_running_loop(), cancelled.set, 0.02)
                return await work(guard, Environment(issuer, verifier, cancelled, call))

        return run(inside())

    return with_guard


class Environment:
    """What a test of a guard has at hand."""

    def __init__(self, issuer: LocalIssuer, verifier: Any, cancelled: asyncio.Event, call: Call) -> None:
        self.verifier = verifier
        self.cancelled = cancelled
        self.call = call
        self.principal: Any = call.principal
        self._issuer = issuer

    def revoke(self) -> None:
        """End the guard's token."""
        self.verifier.revocations.revoke_token(self._issuer.url, "guarded", until=self.verifier.now() + 3600)


async def _settle(guard: ThreadGuard) -> None:
    while guard.ended is None:  # noqa: ASYNC110  (a guard tells its stream, and nobody else)
        await asyncio.sleep(0)


def test_idle_stream_is_cancelled_after_its_grace_period(guarded: Any) -> None:
    """Its handler neither sends nor receives."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        await asyncio.sleep(0)
        environment.revoke()
        await asyncio.wait_for(environment.cancelled.wait(), TIMEOUT)
        assert guard.ended is not None
        guard.close()

    guarded(work)


def test_closed_stream_is_not_cancelled(guarded: Any) -> None:
    """Closed within its grace, before or after it was told: nothing is cancelled, and nothing is watched."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        await asyncio.sleep(0)
        environment.revoke()
        await _settle(guard)
        guard.close()
        await asyncio.sleep(0.1)  # longer than the grace
        assert not environment.cancelled.is_set()
        assert len(environment.verifier._watches) == 0

    guarded(work)


def test_guard_closed_before_its_start_adds_no_watch(guarded: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A handler may be done before the loop hears of its guard; to let go of nothing is no error of the loop."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        guard.close()
        guard.extend(environment.principal)
        environment.revoke()
        await asyncio.sleep(0.1)
        assert (guard.ended, environment.cancelled.is_set(), len(environment.verifier._watches)) == (None, False, 0)

    guarded(work)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize(
    ("items", "brought", "refused"),
    [
        (["one", "two"], ["one", "two"], False),
        (["end", "one"], [], True),
        (["one", "end", "two"], ["one"], True),
        (["one", "end"], ["one"], False),
    ],
)
def test_handler_in_a_thread_is_given_no_item_once_the_token_ended(
    items: list[str], brought: list[str], refused: bool, guarded: Any
) -> None:
    """The item that came too late is not handed over; who has sent all before the end is heard."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        loop, given = asyncio.get_running_loop(), list[str]()

        async def end() -> None:
            environment.revoke()
            await _settle(guard)

        def received() -> Iterator[str]:
            for item in items:
                if item == "end":
                    asyncio.run_coroutine_threadsafe(end(), loop).result(TIMEOUT)
                else:
                    yield item

        def handler() -> AuthError | None:
            try:
                given.extend(guard.while_valid(received()))
            except AuthError as error:
                return error
            return None

        told = await asyncio.to_thread(handler)
        guard.close()
        assert given == brought
        assert (told is not None and told.refusal is Refusal.TOKEN_REVOKED) is refused

    guarded(work)


def test_handler_in_a_thread_is_told_of_an_end_before_it_asks(guarded: Any) -> None:
    """It does not wait for an item that may never come."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        await asyncio.sleep(0)
        environment.revoke()
        await _settle(guard)
        items = iter(["one"])
        with pytest.raises(AuthError) as refused:
            next(guard.while_valid(items))
        guard.close()
        assert (refused.value.refusal, list(items)) == (Refusal.TOKEN_REVOKED, ["one"])

    guarded(work)


def test_cancellation_by_the_caller_is_not_taken_for_the_token_s_end(run: Run) -> None:
    """A handler that cleans up as its caller goes, while the token ends, has its own result."""

    async def handler(guard: Guard) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            guard.end(AuthError(Refusal.TOKEN_REVOKED))
        return "cleaned up"

    async def serve() -> str:
        guard = Guard()
        return await guard.wait(handler(guard))

    async def scenario() -> str:
        call = asyncio.create_task(serve())
        await asyncio.sleep(0)
        call.cancel()
        return await call

    assert run(scenario()) == "cleaned up"


class Interrupted(NamedTuple):
    """A handler that waits: who interrupts it, what it then does, and what becomes of its call."""

    by: tuple[str, ...]
    then: str
    outcome: str


INTERRUPTED = [
    Interrupted((), "returns", "its result"),
    Interrupted((), "fails", "ValueError"),
    Interrupted(("end",), "gives way", "StreamEndedError"),
    Interrupted(("end",), "returns", "StreamEndedError"),
    Interrupted(("end",), "fails", "StreamEndedError"),
    Interrupted(("end",), "aborts", "AbortError"),
    Interrupted(("caller",), "gives way", "CancelledError"),
    Interrupted(("caller",), "returns", "its result"),
    *(
        Interrupted(by, then, outcome)
        for by in (("caller", "end"), ("end", "caller"))
        for then, outcome in (("gives way", "CancelledError"), ("returns", "its result"), ("fails", "ValueError"))
    ),
]


class Interruption:
    """A guarded call in a task of its own, whose handler is interrupted."""

    def __init__(self, case: Interrupted) -> None:
        self.case = case
        self.ready = asyncio.Event()
        self.guard: Guard
        self.task: asyncio.Task[str]

    def interrupt(self, by: str) -> None:
        """As the caller does, or the end of the token."""
        if by == "end":
            self.guard.end(AuthError(Refusal.TOKEN_REVOKED))
        else:
            self.task.cancel()

    async def handler(self) -> str:
        """Waits, is interrupted, perhaps once more while it cleans up, and then does what it does."""
        try:
            self.ready.set()
            if self.case.by:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            for by in self.case.by[1:]:
                self.interrupt(by)
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(TIMEOUT)
            if self.case.then == "gives way":
                raise
        if self.case.then == "fails":
            raise ValueError
        if self.case.then == "aborts":
            raise grpc.aio.AbortError
        return "its result"

    async def serve(self, cancelled_before: bool) -> str:
        """The call, in a task that somebody may have cancelled before it began."""
        if cancelled_before:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        self.guard = Guard()
        return await self.guard.wait(self.handler())

    async def outcome(self, cancelled_before: bool) -> str:
        """The result, or the name of what was raised."""
        self.task = asyncio.create_task(self.serve(cancelled_before))
        await self.ready.wait()
        for by in self.case.by[:1]:
            self.interrupt(by)
        try:
            return await self.task
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (whatever it is)
            return type(error).__name__


@pytest.mark.parametrize("cancelled_before", [False, True])
def test_interrupted_handler_s_result_counts_unless_only_its_token_ended(cancelled_before: bool, run: Run) -> None:
    """After the end nothing of the handler's reaches the caller, and a caller who went is not told of the end."""

    async def scenario() -> None:
        for case in INTERRUPTED:
            assert await Interruption(case).outcome(cancelled_before) == case.outcome, case

    run(scenario())


def test_guard_that_has_let_go_takes_no_other_token(issuer: LocalIssuer, run: Run) -> None:
    """A handler's task may bring a newer one when the stream is over: no error, and nothing is watched."""

    async def scenario() -> None:
        async with trust(issuer) as verifier:
            principal = await verifier.verify(issuer.mint())
            guard = Guard()
            guard.watch = verifier.watch(principal, guard.end)
            for _ in range(2):  # once more by grpc, when the call is done
                guard.close()
                guard.extend(principal)
            assert len(verifier._watches) == 0

    run(scenario())


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
def test_handler_that_goes_on_after_the_tokens_end_gets_nowhere(kind: str, issuer: LocalIssuer) -> None:
    """Whatever it reads or writes then cancels it once more, and its caller learns why the stream ended."""
    told: list[str] = []

    async def stubborn(_: Any, context: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for attempt in (
                context.send_initial_metadata((("too", "late"),)),
                context.read(),
                context.write(b"too late"),
            ):
                try:
                    await attempt
                except asyncio.CancelledError:
                    told.append("cancelled")

    with (
        serving(kind, trust(issuer), {SERVICE: authenticated}, behaviors=lambda _: {"SS": stubborn}) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        requests.send(b"unread")
        stub: Any = channel.stream_stream(path("SS"))
        call = stub(requests, timeout=TIMEOUT, metadata=bearer(issuer.mint(jti=f"stubborn-{kind}")))
        while not watched(server):
            assert call.is_active()
        revoke(server, issuer, f"stubborn-{kind}")
        outcome = collect(call)
        requests.close()
    assert (outcome.code, outcome.messages) == ("token_revoked", [])
    assert "too" not in dict(call.initial_metadata())
    assert told == ["cancelled"] * 3


@pytest.mark.parametrize("started", [True, False])
def test_newer_token_for_a_closed_thread_is_no_error(
    guarded: Any, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture, started: bool
) -> None:
    """A thread that a handler left behind may bring one: nothing is watched any more, and the loop has no error."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        if started:
            await asyncio.sleep(0)
        guard.close()
        guard.extend(environment.verifier.verify_now(issuer.mint()))
        await asyncio.sleep(0.1)
        assert (guard.ended, len(environment.verifier._watches)) == (None, 0)

    guarded(work)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_end_of_a_stream_that_cannot_be_cancelled_is_no_error(
    guarded: Any, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread learns it at the next message, and nothing else is done."""

    async def work(guard: ThreadGuard, environment: Environment) -> None:
        guard.close()
        call = environment.call
        assert call.principal is not None
        alone = ThreadGuard(call, call.principal, asyncio.get_running_loop(), None, 0.0)
        await asyncio.sleep(0)
        environment.revoke()
        await _settle(alone)
        await asyncio.sleep(0.02)  # longer than its grace
        with pytest.raises(AuthError):
            next(alone.while_valid(iter([b"more"])))
        alone.close()
        await asyncio.sleep(0)

    guarded(work)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_abort_waits_for_a_write_that_follows_another_at_once(run: Run) -> None:
    """Who waits for the writes is woken once, and looks again."""

    async def scenario() -> list[str]:
        guard, first, done = Guard(), asyncio.Event(), list[str]()

        async def nothing() -> None:
            done.append("second")

        async def writer() -> None:
            await guard.write(first.wait())
            done.append("first")
            await guard.write(nothing())

        writing = asyncio.create_task(writer())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(guard.wait_for_writes())
        await asyncio.sleep(0)
        assert not waiting.done()
        first.set()
        await asyncio.gather(writing, waiting)
        return done

    assert run(scenario()) == ["first", "second"]


def test_pushing_handler_of_a_caller_who_has_gone_is_not_begun() -> None:
    """It waited for its turn meanwhile; the watch of its token ends at once, and not with the token."""
    closed: list[bool] = []
    guard = SimpleNamespace(close=lambda: closed.append(True))
    gate = SimpleNamespace(verifier=SimpleNamespace(monotonic=time.monotonic), enter=lambda *_: None)
    call: Any = SimpleNamespace(gate=gate, principal=None, queued_at=None)

    def watch(*_: Any) -> None:
        raise AssertionError("begun")

    watch.experimental_non_blocking = True  # type: ignore[attr-defined]
    wrapper = ThreadHandlerWrapper(call, RefusalCache(lambda _: None), watch, lambda _: guard)  # type: ignore[arg-type,return-value]
    handler: Any = wrapper.wrap(grpc.unary_stream_rpc_method_handler(watch))
    assert handler.unary_stream(b"", SimpleNamespace(add_callback=lambda _: False), print) is None
    assert closed == [True]
