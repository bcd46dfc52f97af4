"""Interceptors on either side of ours, from the package grpc-interceptor and by hand: each sees its method's own kind.

The documented order is ours first, so that nothing is done for a caller who is refused. What stands outside of ours all
the same (a log of all calls, validation, a limit of rates) is handed handlers of the method's own kind, also for calls
that are refused and for calls that wait for keys.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_interceptor import (
    AsyncExceptionToStatusInterceptor,
    AsyncServerInterceptor,
    ExceptionToStatusInterceptor,
    ServerInterceptor,
)
from grpc_interceptor.exceptions import InvalidArgument

from bearward import scope
from bearward.testing import LocalIssuer
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, Channel, Outcome, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, register, serving

RULES = {SERVICE: scope("echo")}
SIDES = ("outside", "inside")
_16, _7, _OK = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.OK
_LOG = logging.getLogger("tests.access")


class _Validation(ServerInterceptor):
    """Looks at the request of every method that has one, and refuses what is empty."""

    def intercept(self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str) -> Any:
        if not hasattr(request_or_iterator, "__iter__") and not request_or_iterator.value:
            raise InvalidArgument("empty")
        return method(request_or_iterator, context)


class _AsyncValidation(AsyncServerInterceptor):
    """The same for grpc.aio."""

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        if not hasattr(request_or_iterator, "__aiter__") and not request_or_iterator.value:
            raise InvalidArgument("empty")
        response = method(request_or_iterator, context)
        return response if hasattr(response, "__aiter__") else await response


class _Audit(ServerInterceptor):
    """Logs each call by its name."""

    def intercept(self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str) -> Any:
        _LOG.info("call of %s", method_name)
        return method(request_or_iterator, context)


class _AsyncAudit(AsyncServerInterceptor):
    """The same for grpc.aio."""

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        _LOG.info("call of %s", method_name)
        response = method(request_or_iterator, context)
        return response if hasattr(response, "__aiter__") else await response


class _RateLimit(grpc.ServerInterceptor):
    """Counts calls and passes them on as they are."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.calls[handler_call_details.method] += 1
        return continuation(handler_call_details)


class _AsyncRateLimit(grpc.aio.ServerInterceptor):
    """The same for grpc.aio."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.calls[handler_call_details.method] += 1
        return await continuation(handler_call_details)


class _Kinds(grpc.ServerInterceptor):
    """Notes the kind of what it is handed."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool] | None] = []

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        self.seen.append(None if handler is None else (handler.request_streaming, handler.response_streaming))
        return handler


class _AsyncKinds(grpc.aio.ServerInterceptor):
    """The same for grpc.aio."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool] | None] = []

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        self.seen.append(None if handler is None else (handler.request_streaming, handler.response_streaming))
        return handler


class _Apart(_Kinds):
    """Runs what stands inside of it in another context, as a tracer may."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return super().intercept_service(partial(copy_context().run, continuation), handler_call_details)


class _AsyncApart(_AsyncKinds):
    """The same for grpc.aio: in a task of its own, as `asyncio.wait_for` does."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        def in_a_task(details: Any) -> asyncio.Task[Any]:
            return asyncio.ensure_future(continuation(details))

        return await super().intercept_service(in_a_task, handler_call_details)


MAKERS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "audit": (_Audit, _AsyncAudit),
    "rate limit": (_RateLimit, _AsyncRateLimit),
    "kinds": (_Kinds, _AsyncKinds),
    "apart": (_Apart, _AsyncApart),
}
KIND_OF = {
    "unary-unary": (False, False),
    "unary-stream": (False, True),
    "stream-unary": (True, False),
    "stream-stream": (True, True),
    "empty client stream": (True, False),
    "read-first bidi": (True, True),
}


def make(name: str, kind: str) -> Any:
    """An interceptor for this kind of server."""
    return MAKERS[name][0 if kind == "sync" else 1]()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", MAKERS)
def test_beside_other_interceptors_every_shape_is_refused_and_served_the_same(
    name: str, side: str, kind: str, issuer: LocalIssuer
) -> None:
    """No token, a bad one, too little scope, a good one, and a token of a key that must be fetched first."""
    others: Any = {side: [make(name, kind)]}
    with serving(kind, trust(issuer), RULES, **others) as server, channel_to(server.target) as channel:
        for shape in KIND_OF:
            call = SHAPES[shape]
            assert (call(channel, ()).status, call(channel, ()).code) == (_16, "credentials_missing"), shape
            assert call(channel, bearer(issuer.mint(scope="echo", expires_in=-60))).code == "token_expired", shape
            assert call(channel, bearer(issuer.mint(scope="other"))).code == "scope_insufficient", shape
            served = call(channel, bearer(issuer.mint(sub="ada", scope="echo")))
            assert (served.status, served.messages[0][:3]) == (_OK, b"ada"), shape
        issuer.rotate()
        served = SHAPES["unary-unary"](channel, bearer(issuer.mint(sub="bob", scope="echo")))
        assert (served.status, served.messages) == (_OK, [b"bob:hello"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["kinds", "apart"])
def test_outer_interceptors_see_the_methods_own_kind(name: str, kind: str, issuer: LocalIssuer) -> None:
    """For refused calls, too, from the very first; for a method that does not exist there is no kind to keep."""
    outer = make(name, kind)
    with serving(kind, trust(issuer), RULES, outside=[outer]) as server, channel_to(server.target) as channel:
        for shape, expected in KIND_OF.items():
            for metadata in ((), bearer(issuer.mint(scope="other")), bearer(issuer.mint(scope="echo"))):
                SHAPES[shape](channel, metadata)
                assert outer.seen.pop() == expected, shape
        issuer.rotate()
        SHAPES["unary-stream"](channel, bearer(issuer.mint(scope="echo")))
        assert outer.seen.pop() == KIND_OF["unary-stream"]
        assert SHAPES["unknown method"](channel, ()).code == "credentials_missing"


@pytest.mark.parametrize("kind", KINDS)
def test_call_run_in_another_context_is_still_guarded(kind: str, issuer: LocalIssuer) -> None:
    """Its certificate before it begins, and its token as long as it lasts: neither hangs on a context variable."""
    verifier, token, done = trust(issuer), issuer.mint(sub="ada", scope="echo"), threading.Event()
    bound = issuer.mint(scope="echo", cnf={"x5t#S256": "A" * 43})

    def requests() -> Iterator[bytes]:
        yield b"first"
        done.wait(TIMEOUT)

    others: Any = {"outside": [make("apart", kind)], "certificate_bound": True}
    with serving(kind, verifier, RULES, **others) as server, channel_to(server.target) as channel:
        for shape in KIND_OF:
            assert SHAPES[shape](channel, bearer(bound)).code == "token_sender_constrained", shape
        stream: Any = channel.stream_stream(path("SS"))(requests(), metadata=bearer(token), timeout=TIMEOUT)
        assert next(stream) == b"ada"
        verifier.revocations.revoke_subject(issuer.url, "ada", before=verifier.now() + 60)
        outcome = collect(stream)
        done.set()
        # On grpc.server a handler that waits for its caller is cancelled from outside.
        ends = [(_16, "token_revoked"), *([(grpc.StatusCode.CANCELLED, None)] if kind == "sync" else [])]
        assert (outcome.status, outcome.code) in ends


@pytest.mark.parametrize("kind", KINDS)
def test_inner_interceptors_do_not_run_for_refused_calls(kind: str, issuer: LocalIssuer) -> None:
    """In the documented order nothing is done for a caller who is refused."""
    inner = make("rate limit", kind)
    with serving(kind, trust(issuer), RULES, inside=[inner]) as server, channel_to(server.target) as channel:
        for shape in SHAPES:
            SHAPES[shape](channel, ())
            SHAPES[shape](channel, bearer(issuer.mint(scope="other")))
        assert not inner.calls
        SHAPES["unary-unary"](channel, bearer(issuer.mint(scope="echo")))
        assert inner.calls == {path("UU"): 1}


def _say(text: str, channel: Channel, metadata: Any) -> Outcome:
    stub: Any = channel.unary_stream(
        "/lab.v1.Words/Say",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    return collect(stub(StringValue(value=text), timeout=TIMEOUT, metadata=metadata))


def _add_words(kind: str) -> Callable[[Any], None]:
    def say(request: Any, _: Any) -> Any:
        yield request

    async def say_async(request: Any, _: Any) -> Any:
        yield request

    handler = grpc.unary_stream_rpc_method_handler(
        say if kind == "sync" else say_async,
        request_deserializer=StringValue.FromString,
        response_serializer=StringValue.SerializeToString,
    )
    return lambda server: register(server, {"Say": handler}, "lab.v1.Words")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
def test_message_validation_works_on_either_side(side: str, kind: str, issuer: LocalIssuer) -> None:
    """It is given messages, not octets or an iterator; outside of ours it sees those of refused callers first."""
    sync: list[Any] = [ExceptionToStatusInterceptor(), _Validation()]
    others: Any = {side: sync if kind == "sync" else [AsyncExceptionToStatusInterceptor(), _AsyncValidation()]}
    rules = {"lab.v1.Words": scope("echo")}

    def talk(server: Running) -> None:
        with channel_to(server.target) as channel:
            good, poor = bearer(issuer.mint(scope="echo")), bearer(issuer.mint(scope="other"))
            assert [message.value for message in _say("hello", channel, good).messages] == ["hello"]  # type: ignore[attr-defined]
            assert _say("hello", channel, poor).code == "scope_insufficient"
            assert _say("hello", channel, ()).code == "credentials_missing"
            assert _say("", channel, good).status is grpc.StatusCode.INVALID_ARGUMENT
            issuer.rotate()
            assert _say("hello", channel, bearer(issuer.mint(scope="echo"))).status is _OK

    with serving(kind, trust(issuer), rules, add=_add_words(kind), **others) as server:
        talk(server)
