"""The client's side: a token on each call, kept while it lives, replaced once when it was refused."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from bearward import ConfigurationError
from bearward.errors import UsageError
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, client
from bearward_grpc.call import CALL
from tests.adapters.grpc.calls import TIMEOUT, bearer, path
from tests.adapters.grpc.certificates import Authority
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Running, serving
from tests.adapters.grpc.streaming import revoke

RULES = {SERVICE: authenticated}
KINDS = ("UU", "US", "SU", "SS")


@pytest.fixture(scope="module")
def login() -> Iterator[LocalIssuer]:
    """An issuer that knows one client."""
    with LocalIssuer(algorithms=["ES256"], clients={"me": "s3cret"}) as local:
        yield local


@pytest.fixture
def server(login: LocalIssuer) -> Iterator[Running]:
    """The echo service."""
    with serving("aio", trust(login), RULES) as running:
        yield running


def credentials_of(login: LocalIssuer, **settings: Any) -> client.ClientCredentials:
    """The right ones."""
    given = {"client_id": "me", "client_secret": "s3cret", **settings}
    return client.ClientCredentials(login.token_endpoint, **given)


def call_sync(channel: Any, kind: str) -> list[bytes]:
    """One call of each kind."""
    stub: Any
    request: Any
    if kind[0] == "U":
        stub, request = (channel.unary_unary, b"hi") if kind == "UU" else (channel.unary_stream, b"hi")
    else:
        stub, request = (
            (channel.stream_unary, iter([b"hi"])) if kind == "SU" else (channel.stream_stream, iter([b"hi"]))
        )
    answer = stub(path(kind))(request, timeout=TIMEOUT)
    return [answer] if kind[1] == "U" else list(answer)


async def call_aio(channel: Any, kind: str) -> list[bytes]:
    """The same; a bidirectional client reads before it has written all, for grpc's own sake."""
    request: Any = b"hi" if kind[0] == "U" else iter([b"hi"])
    stub = {
        "UU": channel.unary_unary,
        "US": channel.unary_stream,
        "SU": channel.stream_unary,
        "SS": channel.stream_stream,
    }
    call = stub[kind](path(kind))(request, timeout=TIMEOUT)
    return [await call] if kind[1] == "U" else [message async for message in call]


Caller = Callable[..., list[bytes]]


@pytest.fixture(params=["sync", "aio"])
def caller(request: pytest.FixtureRequest, run: Any) -> Caller:
    """Makes calls of these kinds, one after the other, over one channel with tokens of a source."""

    def sync(
        target: str, source: Any, *kinds: str, before: Callable[[], object] = lambda: None, **how: Any
    ) -> list[bytes]:
        with client.channel(target, source, **how) as channel:
            firsts = []
            for kind in kinds:
                firsts.append(call_sync(channel, kind)[0])
                before()
            return firsts

    def aio(
        target: str, source: Any, *kinds: str, before: Callable[[], object] = lambda: None, **how: Any
    ) -> list[bytes]:
        async def calls() -> list[bytes]:
            async with client.aio_channel(target, source, **how) as channel:
                firsts = []
                for kind in kinds:
                    firsts.append((await call_aio(channel, kind))[0])
                    before()
                return firsts

        answers: list[bytes] = run(calls())
        return answers

    return sync if request.param == "sync" else aio


def test_token_is_reused_across_calls(caller: Caller, server: Running, login: LocalIssuer) -> None:
    """It is fetched once, and the server knows the client."""
    fetched = login.requests("/token")
    firsts = caller(server.target, credentials_of(login), *KINDS, *KINDS)
    assert [first.partition(b":")[0] for first in firsts] == [b"me"] * 8
    assert login.requests("/token") == fetched + 1


def test_over_tls_the_token_travels_as_call_credentials(caller: Caller, login: LocalIssuer) -> None:
    """Those are never sent in plaintext."""
    authority = Authority()
    with serving("aio", trust(login), RULES, credentials=authority.server()) as server:
        firsts = caller(server.target, credentials_of(login), *KINDS, credentials=authority.client())
    assert [first.partition(b":")[0] for first in firsts] == [b"me"] * 4


@pytest.mark.parametrize("kind", ["UU", "US"])
def test_refused_token_is_replaced_once(kind: str, caller: Caller, server: Running, login: LocalIssuer) -> None:
    """The server says UNAUTHENTICATED, the client gets a newer token and tries again, once."""
    source = credentials_of(login)
    revoke(server, login, _token_id(source.token()))
    fetched = login.requests("/token")
    assert caller(server.target, source, kind)[0].startswith(b"me")
    assert login.requests("/token") == fetched + 1


@pytest.mark.parametrize("kind", ["SU", "SS"])
def test_request_streams_are_not_retried(kind: str, caller: Caller, server: Running, login: LocalIssuer) -> None:
    """The call fails; but the refused token is forgotten, and the next call has a newer one."""
    source = credentials_of(login)
    old = source.token()
    revoke(server, login, _token_id(old))
    told = [_code_of(caller, server, source, kind)]
    # grpc's aio client loses the status of many a call that it is still writing to, whoever answers (grpc#36066): who
    # reads is told INTERNAL, and the call's own code, by which the token is forgotten, may be right all the same.
    while caller.__name__ == "aio" and told[-1] is grpc.StatusCode.INTERNAL and len(told) < 100:
        told.append(_code_of(caller, server, source, kind))
    noticed_unseen = told[0] is grpc.StatusCode.INTERNAL and told[-1] is grpc.StatusCode.OK
    assert noticed_unseen or told[-1] is grpc.StatusCode.UNAUTHENTICATED
    assert source.token() != old
    assert caller(server.target, source, "UU")[0].startswith(b"me")


def _code_of(caller: Caller, server: Running, source: Any, kind: str) -> grpc.StatusCode:
    try:
        caller(server.target, source, kind)
    except grpc.RpcError as error:
        told: Any = error
        code: grpc.StatusCode = told.code()
        return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize("kind", ["UU", "US"])
def test_permanent_refusal_is_reported_to_the_caller(kind: str, caller: Caller, login: LocalIssuer) -> None:
    """A newer token does not help either: two calls, no more."""
    with serving("sync", trust(login), RULES) as server:
        source = credentials_of(login, audience="https://other.example")
        fetched = login.requests("/token")
        with pytest.raises(grpc.RpcError) as caught:
            caller(server.target, source, kind)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert login.requests("/token") == fetched + 2


def test_explicit_authorization_metadata_is_kept(server: Running, login: LocalIssuer) -> None:
    """What was set by hand is meant."""
    channel: Any
    with client.channel(server.target, credentials_of(login)) as channel:
        metadata = bearer(login.mint(sub="ada"))
        assert channel.unary_unary(path("UU"))(b"hi", metadata=metadata, timeout=TIMEOUT) == b"ada:hi"


def test_futures_carry_a_token_without_blocking(server: Running, login: LocalIssuer) -> None:
    """It carries a token, and a refusal is noticed when it comes."""
    source = credentials_of(login)
    revoke(server, login, _token_id(source.token()))
    channel: Any
    refused: Any
    with client.channel(server.target, source) as channel:
        refused = channel.unary_unary(path("UU")).future(b"hi", timeout=TIMEOUT)
        error = refused.exception()  # none, if the refusal came before the call was handed out
        assert error is None or error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert channel.unary_unary(path("UU")).future(b"hi", timeout=TIMEOUT).result() == b"me:hi"


def test_callers_token_is_forwarded(caller: Caller, server: Running, login: LocalIssuer) -> None:
    """A handler calls on in its caller's name: the next server sees the original caller."""
    token = login.mint(sub="ada")
    source = client.CallerToken()
    channel: Any
    with pytest.raises(UsageError):
        source.token()

    def relayed(_: Any) -> dict[str, Any]:
        def relay(request: bytes, _: Any) -> bytes:
            return caller(server.target, source, "UU")[0]

        return {"UU": relay}

    with (
        serving("sync", trust(login), RULES, behaviors=relayed) as front,
        grpc.insecure_channel(front.target) as channel,
    ):
        answer = channel.unary_unary(path("UU"))(b"hi", metadata=bearer(token), timeout=TIMEOUT)
    assert answer == b"ada:hi"
    assert CALL.get() is None


def test_grpcs_own_call_credentials(server: Running, login: LocalIssuer) -> None:
    """For channels put together by hand."""
    authority = Authority()
    channel: Any
    with serving("sync", trust(login), RULES, credentials=authority.server()) as secure:
        both = grpc.composite_channel_credentials(authority.client(), client.call_credentials(credentials_of(login)))
        with grpc.secure_channel(secure.target, both) as channel:
            assert channel.unary_unary(path("UU"))(b"hi", timeout=TIMEOUT) == b"me:hi"
        wrong = client.call_credentials(credentials_of(login, client_secret="wrong"))
        both = grpc.composite_channel_credentials(authority.client(), wrong)
        with grpc.secure_channel(secure.target, both) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path("UU"))(b"hi", timeout=TIMEOUT)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "wrong" not in error.details()


@pytest.mark.parametrize("make", [client.channel, client.aio_channel])
def test_plaintext_is_for_loopback(make: Any, run: Any, login: LocalIssuer) -> None:
    """Elsewhere it takes TLS, or an `unsafe_`."""

    async def build() -> None:
        with pytest.raises(ConfigurationError, match="unsafe_plaintext"):
            make("api.example:443", credentials_of(login))
        made = make("api.example:443", credentials_of(login), unsafe_plaintext=True)
        done = made.close()
        if asyncio.iscoroutine(done):
            await done

    run(build())


@pytest.mark.parametrize("options", [(), (("grpc.enable_http_proxy", 1),)], ids=["by default", "whatever was asked"])
def test_call_to_loopback_bypasses_proxies(
    options: Any, caller: Caller, server: Running, login: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GRPC obeys `http_proxy` for loopback too: a proxy elsewhere would be handed the token."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("grpc_proxy", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_grpc_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert caller(server.target, credentials_of(login), "UU", options=options)[0].startswith(b"me")
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_call_credentials_never_cross_plaintext(server: Running, login: LocalIssuer) -> None:
    """The interceptor by itself, on a channel without TLS: grpc refuses, nothing is sent."""
    calls = len(server.seen.callers)
    with grpc.insecure_channel(server.target) as plain:
        channel: Any = grpc.intercept_channel(plain, client.ClientAuthInterceptor(credentials_of(login)))
        with pytest.raises(grpc.RpcError, match="security level"):
            channel.unary_unary(path("UU"))(b"hi", timeout=TIMEOUT)
    assert len(server.seen.callers) == calls


def _token_id(token: str) -> str:
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])
