"""Calls on grpc.server that must wait for keys: they hold no worker, their number is bounded, and they end properly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bearward import JWKSOptions, Principal, TrustedIssuer, Verifier, own_check
from bearward.dpop import DPoP, SharedReplays
from bearward.errors import KeysNeededError
from bearward.jwks.options import StartMode
from bearward.testing import DPoPClient, LocalIssuer
from bearward_grpc import SyncAuthInterceptor, VerifierThread, authenticated
from bearward_grpc.status import RefusalCache
from bearward_grpc.threads import deferred_call
from bearward_grpc.threads.deferred_call import DeferredCalls, _Places
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, Requests, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Running, Seen, methods, register, serving
from tests.adapters.grpc.test_other_interceptors import add_health
from tests.adapters.grpc.test_outer_interceptors import make
from tests.core.jwks.cache_servers import Valkey

WORKERS = 2
RULES = {SERVICE: authenticated}


@pytest.fixture
def own_issuer() -> Iterator[LocalIssuer]:
    """An issuer that one test alone may hold up."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        yield local
        local.release()


def lazy(issuer: LocalIssuer) -> Verifier:
    """Fetches keys when the first token asks for them."""
    options = JWKSOptions(start=StartMode.LAZY, cooldown=0.1, burst=10)
    return Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=options))


@pytest.fixture
def server(own_issuer: LocalIssuer) -> Iterator[Running]:
    """A server with few workers whose verifier holds keys."""
    with serving("sync", trust(own_issuer), RULES, workers=WORKERS) as running, channel_to(running.target) as channel:
        assert SHAPES["unary-unary"](channel, bearer(own_issuer.mint())).status is grpc.StatusCode.OK
        yield running


def test_forged_tokens_with_unknown_keys_hold_no_worker(server: Running, own_issuer: LocalIssuer) -> None:
    """While the issuer hangs, ten times as many forged tokens wait as there are workers, and good calls are served."""
    fetches = own_issuer.requests("/jwks")
    own_issuer.hold()
    with channel_to(server.target) as channel:
        stub: Any = channel.unary_unary(path("UU"))
        forged = [
            stub.future(b"", timeout=TIMEOUT, metadata=bearer(own_issuer.mint(kid=f"invented-{number}")))
            for number in range(10 * WORKERS)
        ]
        own_issuer.wait_for_requests("/jwks", fetches + 1)
        for _ in range(3):
            assert SHAPES["unary-unary"](channel, bearer(own_issuer.mint())).status is grpc.StatusCode.OK
        assert any(not call.done() for call in forged)
        own_issuer.release()
        codes = {call.exception(TIMEOUT).code() for call in forged}
    assert codes <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}


def test_waiting_calls_are_bounded(own_issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call more than there are places is UNAVAILABLE at once, and may try again; the others are served."""
    monkeypatch.setattr(deferred_call, "_MAX_WAITING", 2)
    with serving("sync", lazy(own_issuer), RULES, workers=WORKERS) as server, channel_to(server.target) as channel:
        own_issuer.hold()
        metadata = bearer(own_issuer.mint(sub="ada"))
        stub: Any = channel.unary_unary(path("UU"))
        calls = [stub.future(b"", timeout=TIMEOUT, metadata=metadata) for _ in range(3)]
        ended = threading.Event()
        for call in calls:
            call.add_done_callback(lambda _: ended.set())
        assert ended.wait(TIMEOUT)
        (refused,) = [call for call in calls if call.done()]
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(refused.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        own_issuer.release()
        assert [call.result(TIMEOUT) for call in calls if call is not refused] == [b"ada:"] * 2
        for _ in range(3):  # the places are free again
            own_issuer.rotate()
            assert SHAPES["unary-unary"](channel, bearer(own_issuer.mint())).status is grpc.StatusCode.OK


@pytest.mark.parametrize("waits_for", ["a check", "a store of proofs"])
def test_strangers_who_wait_for_keys_leave_verified_callers_their_places(
    own_issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch, waits_for: str, valkey: Valkey
) -> None:
    """However many forged tokens wait for an issuer that hangs: who is verified waits in places of its own."""
    monkeypatch.setattr(deferred_call, "_MAX_WAITING", 1)

    async def passes(principal: Principal) -> bool:
        return True

    proving, method = DPoPClient(), path("UU")
    dpop = None if waits_for == "a check" else DPoP(origins="https://api.example")
    store = SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=b"0123456789abcdef")
    verifier = Verifier(
        TrustedIssuer(own_issuer.url, audience=own_issuer.audience, jwks_uri=own_issuer.jwks_uri),
        dpop=dpop,
        replays=None if dpop is None else store,
    )
    rules = {SERVICE: own_check(passes, code="never") if dpop is None else authenticated}
    with serving("sync", verifier, rules, workers=WORKERS) as server, channel_to(server.target) as channel:

        def good() -> grpc.StatusCode:
            token = own_issuer.mint() if dpop is None else own_issuer.mint(cnf=proving.cnf)
            proof = proving.proof("POST", f"https://api.example{method}", token=token)
            scheme = "Bearer" if dpop is None else "DPoP"
            metadata = (("authorization", f"{scheme} {token}"), ("dpop", proof))
            return SHAPES["unary-unary"](channel, metadata).status

        assert good() is grpc.StatusCode.OK
        fetches = own_issuer.requests("/jwks")
        own_issuer.hold()
        stub: Any = channel.unary_unary(method)
        forged = stub.future(b"", timeout=TIMEOUT, metadata=bearer(own_issuer.mint(kid="invented")))
        own_issuer.wait_for_requests("/jwks", fetches + 1)
        assert good() is grpc.StatusCode.OK
        assert not forged.done()
        own_issuer.release()
        assert forged.exception(TIMEOUT).code() is grpc.StatusCode.UNAUTHENTICATED


def test_cancelled_caller_frees_its_place(own_issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits no longer, although the fetch continues for others."""
    monkeypatch.setattr(deferred_call, "_MAX_WAITING", 1)
    with serving("sync", lazy(own_issuer), RULES, workers=WORKERS) as server, channel_to(server.target) as channel:
        fetches = own_issuer.requests("/jwks")
        own_issuer.hold()
        metadata = bearer(own_issuer.mint(sub="ada"))
        stub: Any = channel.unary_unary(path("UU"))
        leaving = stub.future(b"", timeout=TIMEOUT, metadata=metadata)
        own_issuer.wait_for_requests("/jwks", fetches + 1)
        leaving.cancel()
        pause, staying = threading.Event(), leaving
        for _ in range(6):  # the server hears of the cancellation in its own time, long before the fetch gives up
            staying = stub.future(b"", timeout=TIMEOUT, metadata=metadata)
            pause.wait(0.5)
            if not staying.done():
                break
        assert not staying.done()
        own_issuer.release()
        assert staying.result(TIMEOUT) == b"ada:"


def test_workers_that_waited_for_an_outer_interceptor_are_free_again(own_issuer: LocalIssuer) -> None:
    """Two may wait at a time; any number may have waited."""
    outer = make("audit", "sync")
    with (
        serving("sync", lazy(own_issuer), RULES, outside=[outer], workers=WORKERS) as server,
        channel_to(server.target) as channel,
    ):
        for _ in range(4):
            assert SHAPES["unary-unary"](channel, bearer(own_issuer.mint())).status is grpc.StatusCode.OK
            own_issuer.rotate()


def test_verified_calls_are_served_in_the_pool_that_was_given(own_issuer: LocalIssuer) -> None:
    """The server's own, so that no more handlers run at a time than its user meant; without one, in our own."""
    names: list[str] = []

    def behaviors(_: Seen) -> dict[str, Any]:
        def unary(request: bytes, _: Any) -> bytes:
            names.append(threading.current_thread().name)
            return request

        return {"UU": unary}

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="given") as pool:
        kinds: list[tuple[dict[str, Any], str]] = [({"pool": pool}, "given"), ({}, "bearward-deferred")]
        for settings, prefix in kinds:
            with (
                serving("sync", lazy(own_issuer), RULES, behaviors=behaviors, **settings) as server,
                channel_to(server.target) as channel,
            ):
                assert SHAPES["unary-unary"](channel, bearer(own_issuer.mint())).status is grpc.StatusCode.OK
            assert names.pop().startswith(prefix)


def test_deferred_stream_ends_when_its_client_cancels(own_issuer: LocalIssuer) -> None:
    """Its handler runs no further."""
    finished = threading.Event()

    def behaviors(_: Seen) -> dict[str, Any]:
        def stream(request: bytes, _: Any) -> Iterator[bytes]:
            try:
                while True:
                    yield request
            finally:
                finished.set()

        return {"US": stream}

    with (
        serving("sync", lazy(own_issuer), RULES, behaviors=behaviors) as server,
        channel_to(server.target) as channel,
    ):
        call: Any = channel.unary_stream(path("US"))(b"x", timeout=TIMEOUT, metadata=bearer(own_issuer.mint()))
        assert next(call) == b"x"
        call.cancel()
        assert finished.wait(TIMEOUT)


def test_deferred_health_watch_is_served(own_issuer: LocalIssuer) -> None:
    """Grpc's own servicer pushes its responses, and does so here too."""
    with (
        serving("sync", lazy(own_issuer), RULES, health=authenticated, add=add_health("sync")) as server,
        channel_to(server.target) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        watch = stub.Watch(request, timeout=TIMEOUT, metadata=bearer(own_issuer.mint()))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_calls_after_the_verifier_was_stopped_are_unavailable(own_issuer: LocalIssuer) -> None:
    """A server that outlives its verifier leaves no call hanging."""
    background = VerifierThread(lazy(own_issuer))
    auth, seen = SyncAuthInterceptor(background, RULES), Seen()
    with ThreadPoolExecutor(WORKERS) as pool:
        server = grpc.server(pool, interceptors=[auth])
        register(server, methods({"UU": lambda request, _: request}, seen.decode))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        background.stop()
        with channel_to(f"127.0.0.1:{port}") as channel:
            outcome = SHAPES["unary-unary"](channel, bearer(own_issuer.mint()))
        server.stop(0).wait(30)
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAVAILABLE, "keys_unavailable")


def test_idle_reflection_streams_hold_no_worker(issuer: LocalIssuer) -> None:
    """Reflection has its own threads: public as it is, its open streams keep nobody from being served."""
    with (
        serving("sync", trust(issuer), RULES, reflection=True, add=add_health("sync"), workers=1) as server,
        channel_to(server.target) as channel,
    ):
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        held = []
        for _ in range(3):
            requests = Requests()
            requests.send(reflection_pb2.ServerReflectionRequest(list_services=""))  # type: ignore[arg-type]
            call = stub.ServerReflectionInfo(requests, timeout=TIMEOUT)
            assert next(call).list_services_response.service
            held.append((requests, call))
        assert SHAPES["unary-unary"](channel, bearer(issuer.mint())).status is grpc.StatusCode.OK
        for requests, call in held:
            requests.close()
            assert collect(call).status is grpc.StatusCode.OK


def test_place_of_a_call_that_could_not_begin_to_wait_is_given_back() -> None:
    """Whatever failed: a place that nobody gives back is one for good."""

    def fail(work: Any) -> None:
        work.close()
        raise RuntimeError("no loop")

    async def admit() -> None:
        raise AssertionError

    background: Any = SimpleNamespace(submit=fail)
    gate: Any = SimpleNamespace(admit=lambda *_: admit())
    response: Any = SimpleNamespace(details=SimpleNamespace(method="/a.B/C", invocation_metadata=()))
    calls = DeferredCalls(background, gate, RefusalCache(lambda _: None), lambda handler, _: handler, None)  # type: ignore[arg-type,return-value]
    calls._waiting = _Places(1)
    with pytest.raises(RuntimeError, match="no loop"):
        calls._start(KeysNeededError(), None, response)
    assert calls._waiting.take()
