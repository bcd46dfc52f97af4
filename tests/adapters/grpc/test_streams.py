"""A stream does not outlive its token, whatever its handler is doing when the token ends (grpc.aio)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from bearward import scope
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated
from tests.adapters.grpc.calls import TIMEOUT, Channel, Outcome, Requests, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import SERVICE, Running, serving
from tests.adapters.grpc.streaming import FIRST, StreamControls, revoke, until_unwatched

AIO = ("aio", "aio-guarded")


@pytest.fixture
def controls() -> StreamControls:
    """The handlers' side."""
    return StreamControls()


@pytest.fixture(params=AIO)
def server(request: pytest.FixtureRequest, issuer: LocalIssuer, controls: StreamControls) -> Iterator[Running]:
    """Streams behind a guard."""
    with serving(request.param, trust(issuer), {SERVICE: authenticated}, behaviors=controls.async_handlers) as running:
        yield running


def open_call(channel: Channel, method: str, token: str) -> tuple[Any, Requests]:
    """Start a call and wait until its handler has sent something."""
    requests = Requests()
    stub: Any = {"US": channel.unary_stream, "SS": channel.stream_stream, "SU": channel.stream_unary}[method[:2]]
    how = stub(path(method)).future if method.startswith("SU") else stub(path(method))
    call = how(b"go" if method.startswith("US") else requests, timeout=TIMEOUT, metadata=bearer(token))
    if method.startswith("SU"):
        assert ("first", "yes") in call.initial_metadata()
    else:
        assert next(call) == FIRST
    return call, requests


def outcome_of(call: Any, method: str) -> Outcome:
    """Wait for the end of a call."""
    if not method.startswith("SU"):
        return collect(call)
    call.exception()
    return Outcome(call.code(), call.details(), dict(call.trailing_metadata() or ()), [])


FORMS = ("US_idle", "US_fast", "US_writer", "US_fast_writer", "US_writing_tasks", "SS_echo", "SS_reader", "SU_idle")


@pytest.mark.parametrize("method", FORMS)
def test_stream_ends_with_its_token(
    method: str, server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """The caller is told UNAUTHENTICATED, the handler's `finally` runs, nothing is left behind."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, method, issuer.mint(jti=method))
        revoke(server, issuer, method)
        outcome = outcome_of(call, method)
        requests.close()
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")
    assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


def test_bidirectional_stream_ends_while_client_sends(
    server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """A bidirectional call whose client keeps sending ends like any other."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, "SS_echo", issuer.mint(jti="talk"))
        requests.send(b"one")
        assert next(call) == b"one"
        revoke(server, issuer, "talk")
        outcome = collect(call)
        requests.close()
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")
    assert controls.finished.wait(TIMEOUT)


@pytest.mark.parametrize("method", ["US_idle", "SS_reader", "SU_idle"])
def test_stream_ends_when_its_token_expires(
    method: str, server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """Not before `exp`, and without anybody's asking after it."""
    expires = time.time() + 1.5
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, method, issuer.mint(exp=expires))
        outcome = outcome_of(call, method)
        requests.close()
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_expired")
    assert time.time() >= expires
    assert controls.finished.wait(TIMEOUT)


def test_stream_ends_when_its_key_is_withdrawn(server: Running, issuer: LocalIssuer) -> None:
    """The issuer took the key back: what it signed is worth nothing, streams included."""
    old = issuer.key()
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, "US_idle", issuer.mint())
        issuer.rotate()
        issuer.withdraw(old)
        # A token by the new key makes the verifier fetch, and so notice that the old one is gone.
        other, more = open_call(channel, "US_short", issuer.mint())
        assert collect(other).status is grpc.StatusCode.OK
        outcome = collect(call)
        requests.close()
        more.close()
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "key_withdrawn")


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("US_short", grpc.StatusCode.OK),
        ("US_own_timeout", grpc.StatusCode.UNKNOWN),
        ("US_own_abort", grpc.StatusCode.DATA_LOSS),
    ],
)
def test_handlers_own_status_reaches_the_caller(
    method: str, status: grpc.StatusCode, server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """Its own end, its own TimeoutError and its own abort reach the caller as they are."""
    with channel_to(server.target) as channel:
        call, _ = open_call(channel, method, issuer.mint())
        assert collect(call).status is status
    assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


def test_handler_that_swallows_cancellation_sends_nothing_more(
    server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """A handler cannot be forced; but what it has to say after the end is dropped."""
    with channel_to(server.target) as channel:
        call, _ = open_call(channel, "US_stubborn", issuer.mint(jti="stubborn"))
        assert controls.waiting.wait(TIMEOUT)
        revoke(server, issuer, "stubborn")
        assert controls.cancelled.wait(TIMEOUT)
        controls.release.set()
        outcome = collect(call)
    assert (outcome.status, outcome.code, outcome.messages) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked", [])


@pytest.mark.parametrize("method", ["US_fast", "US_fast_writer"])
@pytest.mark.parametrize("window", [0, 2000])
def test_blocked_write_is_not_interrupted(
    window: int, method: str, server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """A client that does not read gets the status when it reads again; with no window not even the first message fits."""
    with RawCall(server.port, path(method), bearer(issuer.mint(jti="blocked")), window=window) as call:
        call.send(b"go", end=True)
        call.until_headers()
        revoke(server, issuer, "blocked")
        until_unwatched(server)
        call.open_window(1_000_000)
        reply = call.until_end()
    assert (reply.status, reply.headers[-1]["bearward-code"]) == (16, "token_revoked")
    assert controls.finished.wait(TIMEOUT)


@pytest.mark.parametrize("method", ["US_idle", "US_fast", "US_fast_writer", "SS_echo", "SS_reader", "SU_idle"])
def test_cancelled_client_leaves_no_watch(
    method: str, server: Running, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """Cancelled by its client, blocked in a write or not, the handler ends and its token is watched no longer."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, method, issuer.mint())
        call.cancel()
        requests.close()
        assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


class _RevokesMeanwhile(grpc.aio.ServerInterceptor):
    """Between verification and handler, the token is revoked."""

    def __init__(self) -> None:
        self.server: Running | None = None
        self.issuer: LocalIssuer | None = None

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        assert self.server is not None
        assert self.issuer is not None
        revoke(self.server, self.issuer, "meanwhile")
        return await continuation(handler_call_details)


@pytest.mark.parametrize("method", ["US_idle", "US_writer", "SS_echo", "SU_idle"])
def test_token_that_ends_before_the_handler_starts_is_refused(
    method: str, issuer: LocalIssuer, controls: StreamControls
) -> None:
    """The handler never runs, and the answer does not hang."""
    meddler = _RevokesMeanwhile()
    rules = {SERVICE: authenticated}
    with (
        serving("aio", trust(issuer), rules, behaviors=controls.async_handlers, inside=(meddler,)) as server,
        channel_to(server.target) as channel,
    ):
        meddler.server, meddler.issuer = server, issuer
        requests = Requests()
        requests.close()
        stub: Any = {"US": channel.unary_stream, "SS": channel.stream_stream, "SU": channel.stream_unary}[method[:2]](
            path(method)
        )
        metadata = bearer(issuer.mint(jti="meanwhile"))
        if method.startswith("SU"):
            call = stub.future(requests, timeout=TIMEOUT, metadata=metadata)
        else:
            call = stub(b"go" if method.startswith("US") else requests, timeout=TIMEOUT, metadata=metadata)
        outcome = outcome_of(call, method)
    assert (outcome.status, outcome.code, outcome.messages) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked", [])
    assert not controls.finished.is_set()


def test_stream_expiry_ignore(issuer: LocalIssuer, controls: StreamControls) -> None:
    """`stream_expiry="ignore"`: the token counts at the start only."""
    with (
        serving(
            "aio", trust(issuer), {SERVICE: authenticated}, behaviors=controls.async_handlers, stream_expiry="ignore"
        ) as server,
        channel_to(server.target) as channel,
    ):
        call, requests = open_call(channel, "SS_echo", issuer.mint(jti="ignored"))
        revoke(server, issuer, "ignored")
        requests.send(b"still here")
        assert next(call) == b"still here"
        requests.close()
        assert collect(call).status is grpc.StatusCode.OK


def test_stream_leeway_extends_the_stream(issuer: LocalIssuer, controls: StreamControls) -> None:
    """`stream_leeway` seconds after `exp` the stream still lives."""
    with (
        serving(
            "aio", trust(issuer), {SERVICE: authenticated}, behaviors=controls.async_handlers, stream_leeway=1.5
        ) as server,
        channel_to(server.target) as channel,
    ):
        expires = time.time() + 1
        call, _ = open_call(channel, "US_idle", issuer.mint(exp=expires))
        assert collect(call).code == "token_expired"
        assert time.time() >= expires + 1.5


REFUSED: dict[str, dict[str, Any]] = {
    "claim_mismatch": {"sub": "mallory"},
    "scope_insufficient": {"scope": "other"},
    "token_expired": {"exp": 1_000_000_000},
}


def test_stream_continues_under_a_newer_token(server: Running, issuer: LocalIssuer) -> None:
    """With a newer token of the same caller the stream goes on under that token, and ends with it."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, "SS_reauthenticating", issuer.mint(exp=time.time() + 2))
        requests.send(issuer.mint(jti="newer").encode())
        assert next(call) == b"newer"
        time.sleep(2.2)  # the old token's end must pass
        requests.send(issuer.mint(jti="newest").encode())
        assert next(call) == b"newest"
        revoke(server, issuer, "newest")
        outcome = collect(call)
        requests.close()
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")


@pytest.mark.parametrize("code", REFUSED)
def test_reauthentication_refuses_other_tokens(code: str, issuer: LocalIssuer, controls: StreamControls) -> None:
    """The newer token must be good, of the same caller, and satisfy the method's rule; the refusal reaches the caller."""
    with (
        serving("aio", trust(issuer), {SERVICE: scope("echo")}, behaviors=controls.async_handlers) as server,
        channel_to(server.target) as channel,
    ):
        call, requests = open_call(channel, "SS_reauthenticating", issuer.mint(scope="echo"))
        requests.send(issuer.mint(claims={"scope": "echo", **REFUSED[code]}).encode())
        outcome = collect(call)
        requests.close()
    assert outcome.code == code
