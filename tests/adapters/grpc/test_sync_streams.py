"""Streams on grpc.server, and plain functions on grpc.aio: the best that can be done for threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from bearward.testing import LocalIssuer
from bearward_grpc import authenticated
from tests.adapters.grpc.calls import TIMEOUT, Channel, Metadata, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Running, serving
from tests.adapters.grpc.streaming import FIRST, SyncStreamControls, revoke, until_unwatched
from tests.adapters.grpc.test_streams import open_call, outcome_of

THREADED = ("sync", "aio", "aio-guarded")
RULES = {SERVICE: authenticated}
ENDED = (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")


@pytest.fixture
def controls() -> Iterator[SyncStreamControls]:
    """The handlers' side; a handler that still sleeps is woken at the end."""
    made = SyncStreamControls()
    yield made
    made.release.set()


@pytest.fixture
def server(issuer: LocalIssuer, controls: SyncStreamControls) -> Iterator[Running]:
    """grpc.server with streams behind a guard."""
    with serving("sync", trust(issuer), RULES, behaviors=controls.sync_handlers) as running:
        yield running


@pytest.mark.parametrize("kind", THREADED)
def test_response_stream_ends_with_its_token(kind: str, issuer: LocalIssuer, controls: SyncStreamControls) -> None:
    """Before each response the token is looked at."""
    with (
        serving(kind, trust(issuer), RULES, behaviors=controls.sync_handlers) as server,
        channel_to(server.target) as channel,
    ):
        call, _ = open_call(channel, "US_fast", issuer.mint(jti="fast"))
        revoke(server, issuer, "fast")
        outcome = collect(call)
        assert (outcome.status, outcome.code) == ENDED
        assert controls.finished.wait(TIMEOUT)
        until_unwatched(server)


@pytest.mark.parametrize("kind", THREADED)
@pytest.mark.parametrize("method", ["SS_echo", "SU_idle"])
def test_request_stream_ends_at_its_next_message(
    method: str, kind: str, issuer: LocalIssuer, controls: SyncStreamControls
) -> None:
    """Around each request message the token is looked at."""
    with (
        serving(kind, trust(issuer), RULES, behaviors=controls.sync_handlers) as server,
        channel_to(server.target) as channel,
    ):
        call, requests = open_call(channel, method, issuer.mint(jti="talk"))
        revoke(server, issuer, "talk")
        until_unwatched(server)  # the end is known in the server before the message comes
        requests.send(b"more")
        outcome = outcome_of(call, method)
        requests.close()
        assert (outcome.status, outcome.code) == ENDED
        assert controls.finished.wait(TIMEOUT)
        until_unwatched(server)


@pytest.mark.parametrize("method", ["SS_echo", "SU_idle"])
def test_handler_waiting_for_a_message_is_released(
    method: str, server: Running, issuer: LocalIssuer, controls: SyncStreamControls
) -> None:
    """The call is cancelled from outside; its caller sees CANCELLED, or our status where that was faster."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, method, issuer.mint(jti="idle"))
        revoke(server, issuer, "idle")
        outcome = outcome_of(call, method)
        requests.close()
    assert outcome.status in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED}
    assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


def test_sleeping_handler_does_not_hold_the_call(
    server: Running, issuer: LocalIssuer, controls: SyncStreamControls
) -> None:
    """Nobody can wake a thread, but its caller is told, and nothing that it says later is sent."""
    with channel_to(server.target) as channel:
        call, _ = open_call(channel, "US_idle", issuer.mint(jti="asleep"))
        revoke(server, issuer, "asleep")
        outcome = collect(call)
        assert (outcome.status, outcome.messages) == (grpc.StatusCode.CANCELLED, [])
        assert not controls.finished.is_set()
    controls.release.set()
    assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


@pytest.mark.parametrize("method", ["US_fast", "SS_echo", "SU_idle"])
def test_cancelled_client_leaves_no_watch(
    method: str, server: Running, issuer: LocalIssuer, controls: SyncStreamControls
) -> None:
    """Its token is watched no longer."""
    with channel_to(server.target) as channel:
        call, requests = open_call(channel, method, issuer.mint())
        call.cancel()
        requests.close()
        assert controls.finished.wait(TIMEOUT)
    until_unwatched(server)


@pytest.mark.parametrize("kind", THREADED)
def test_stream_continues_under_a_newer_token(kind: str, issuer: LocalIssuer, controls: SyncStreamControls) -> None:
    """`reauthenticate_blocking` is `extend` for threads."""
    with (
        serving(kind, trust(issuer), RULES, behaviors=controls.sync_handlers) as server,
        channel_to(server.target) as channel,
    ):
        call, requests = open_call(channel, "SS_reauthenticating", issuer.mint(jti="old"))
        requests.send(issuer.mint(jti="newer").encode())
        assert next(call) == b"newer"
        revoke(server, issuer, "old")
        requests.send(issuer.mint(jti="newest").encode())
        assert next(call) == b"newest"
        revoke(server, issuer, "newest")
        until_unwatched(server)
        requests.send(b"whatever")
        assert collect(call).code == "token_revoked"
        requests.close()


def test_key_fetch_does_not_delay_other_calls(server: Running, issuer: LocalIssuer) -> None:
    """While one call waits for keys, another connection is served and a stream in flight goes on."""
    with channel_to(server.target) as busy, channel_to(server.target) as other, ThreadPoolExecutor(1) as pool:
        stream, _ = open_call(busy, "US_fast", issuer.mint())
        issuer.rotate()  # the next token names a key that the server does not hold
        fetches = issuer.requests("/jwks")
        issuer.hold()
        try:
            metadata = bearer(issuer.mint(sub="cold"))
            cold = pool.submit(lambda: collect(channel_call(busy, metadata)))
            issuer.wait_for_requests("/jwks", fetches + 1)
            for _ in range(100):
                next(stream)
            assert collect(channel_call(other, ())).code == "credentials_missing"
            assert not cold.done()
        finally:
            issuer.release()
        assert cold.result(TIMEOUT).messages == [FIRST]
        stream.cancel()


def channel_call(channel: Channel, metadata: Metadata) -> Any:
    """A short call."""
    return channel.unary_stream(path("US_short"))(b"", timeout=TIMEOUT, metadata=metadata)


def test_expiry_reaches_threads(server: Running, issuer: LocalIssuer) -> None:
    """A stream on grpc.server ends at `exp`, without anybody's asking."""
    expires = time.time() + 1.5
    with channel_to(server.target) as channel:
        call, _ = open_call(channel, "US_fast", issuer.mint(exp=expires))
        assert collect(call).code == "token_expired"
    assert time.time() >= expires
