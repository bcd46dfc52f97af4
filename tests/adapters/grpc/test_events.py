"""What an observer is told of the calls of a server: whom it let in, whom it refused, and by which request."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest

from bearward import AuthError, Principal, Refusal, TrustedIssuer, Verifier, own_check
from bearward.client_certificates import ProvingProxy, from_networks
from bearward.events import Event, Refused, StreamEnded, Verified
from bearward.log_output import withdraw
from bearward.testing import LocalIssuer
from bearward_grpc import (
    AuthInterceptor,
    SyncAuthInterceptor,
    authenticated,
    optional,
    public,
    reauthenticate,
    reauthenticate_blocking,
)
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, Requests, bearer, channel_to, path
from tests.adapters.grpc.conftest import PATIENT, trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Rules, Seen, serving
from tests.adapters.grpc.streaming import revoke

KEY = "x-request-id"
MADE = re.compile("[0-9a-f]{32}")
"""An identifier that is made where a call brings none."""


async def _anybody(_: Principal) -> bool:
    return True


RULES: Rules = {
    path("UU"): authenticated,
    path("SS"): authenticated,
    path("SU"): own_check(_anybody, code="not_today"),
    path("US"): optional,
}


def _async(_: Seen) -> dict[str, Callable[..., Any]]:
    async def once(request: bytes, _: Any) -> bytes:
        if request == b"refuse":
            raise AuthError(Refusal.CLAIM_INSUFFICIENT)
        return request

    async def many(request: bytes, _: Any) -> AsyncIterator[bytes]:
        yield request

    async def all_of_it(requests: AsyncIterator[bytes], _: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def again(tokens: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        yield b"first"
        async for token in tokens:
            try:
                await reauthenticate(token.decode())
            except AuthError as refused:
                yield refused.code.encode()
            else:
                yield b"accepted"

    return {"UU": once, "US": many, "SU": all_of_it, "SS": again}


def _plain(_: Seen) -> dict[str, Callable[..., Any]]:
    def once(request: bytes, _: Any) -> bytes:
        if request == b"refuse":
            raise AuthError(Refusal.CLAIM_INSUFFICIENT)
        return request

    def many(request: bytes, _: Any) -> Iterator[bytes]:
        yield request

    def all_of_it(requests: Iterator[bytes], _: Any) -> bytes:
        return b"".join(requests)

    def again(tokens: Iterator[bytes], _: Any) -> Iterator[bytes]:
        yield b"first"
        for token in tokens:
            try:
                reauthenticate_blocking(token.decode())
            except AuthError as refused:
                yield refused.code.encode()
            else:
                yield b"accepted"

    return {"UU": once, "US": many, "SU": all_of_it, "SS": again}


class Told(list[Any]):
    """The events of calls, as an observer hears of them."""

    def __call__(self, event: Event) -> None:
        """One more."""
        if isinstance(event, Verified | Refused | StreamEnded):
            self.append(event)

    def next(self) -> list[Any]:
        """Those since the last look."""
        events = list(self)
        self.clear()
        return events


def _serving(kind: str, issuer: LocalIssuer, told: Told, **options: Any) -> Any:
    trusted = TrustedIssuer(
        issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=PATIENT, max_token_age=3600.0
    )
    return serving(
        kind,
        Verifier(trusted, observers=[told]),
        RULES,
        behaviors=_plain if kind == "sync" else _async,
        correlation_key=KEY,
        **options,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_caller_who_is_let_in_is_one_event(kind: str, issuer: LocalIssuer) -> None:
    """Of the method that was called, by the name of the request; how long it took only where something was verified."""
    told, token = Told(), issuer.mint()
    rows: tuple[tuple[str, str, bool], ...] = (
        ("unary-unary", token, True),  # its keys are fetched
        ("unary-unary", token, False),
        ("unary-unary", issuer.mint(jti="held keys"), True),
        ("unary-stream", issuer.mint(jti="optional"), True),
        ("stream-unary", token, True),  # there is something to be awaited
    )
    with _serving(kind, issuer, told) as server, channel_to(server.target) as channel:
        for number, (shape, brought, measured) in enumerate(rows):
            outcome = SHAPES[shape](channel, (*bearer(brought), (KEY, f"call-{number}")))
            assert outcome.status is grpc.StatusCode.OK
            (event,) = told.next()
            assert isinstance(event, Verified)
            method = path("".join(word[0] for word in shape.split("-")).upper())
            assert (event.issuer, event.transport, event.operation) == (issuer.url, "grpc", method)
            assert (event.correlation_id, event.proof) == (f"call-{number}", "bearer")
            assert (event.duration is not None) is measured, shape
            assert event.duration is None or 0 <= event.duration < TIMEOUT
        assert SHAPES["unary-stream"](channel, ()).status is grpc.StatusCode.OK
        assert told.next() == []  # nobody called


@pytest.mark.parametrize("kind", KINDS)
def test_event_has_an_identifier_of_its_own_where_the_call_has_none(kind: str, issuer: LocalIssuer) -> None:
    """Neither what could be a token, nor what stands under another key, is an identifier of a request."""
    told, token = Told(), issuer.mint()
    refused = issuer.mint(claims={"exp": 1_000_000_000})
    with _serving(kind, issuer, told) as server, channel_to(server.target) as channel:
        for brought, outcome in ((token, Verified), (refused, Refused), ("", Refused)):
            for more, given in (
                (((KEY, "call-1"),), "call-1"),
                ((("x-other", "call-2"), (KEY, "call-3"), (KEY, "call-4")), "call-3"),
                (((KEY, token),), None),
                ((("x-other", "call-5"),), None),
                ((), None),
            ):
                SHAPES["unary-unary"](channel, (*bearer(brought), *more))
                (event,) = told.next()
                assert (type(event), event.operation) == (outcome, path("UU"))
                assert event.correlation_id == given or (given is None and MADE.fullmatch(event.correlation_id))


@pytest.mark.parametrize("kind", KINDS)
def test_stream_that_goes_on_under_another_token_is_an_event_each_time(kind: str, issuer: LocalIssuer) -> None:
    """The newer token, a refused one, and the end: of the method, by the name of the request that opened the stream."""
    told, requests = Told(), Requests()
    with _serving(kind, issuer, told) as server, channel_to(server.target) as channel:
        metadata = (*bearer(issuer.mint(sub="ada")), (KEY, "stream-1"))
        call: Any = channel.stream_stream(path("SS"))(requests, timeout=TIMEOUT, metadata=metadata)
        assert next(call) == b"first"
        assert [type(event) for event in told.next()] == [Verified]
        for token, answer, outcome in (
            (issuer.mint(sub="ada", jti=f"newer-{kind}"), b"accepted", Verified),
            (issuer.mint(sub="mallory"), b"claim_mismatch", Refused),
            ("rubbish", b"token_malformed", Refused),
        ):
            requests.send(token.encode())
            assert next(call) == answer
            (event,) = told.next()
            assert (type(event), event.operation, event.correlation_id) == (outcome, path("SS"), "stream-1")
        revoke(server, issuer, f"newer-{kind}")
        with pytest.raises(grpc.RpcError):
            next(call)
        requests.close()
        (event,) = told.next()
        assert event == StreamEnded(Refusal.TOKEN_REVOKED, issuer.url, "grpc", path("SS"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["call-1", None])
def test_refusal_by_a_handler_concerns_the_caller_of_its_call(
    given: str | None, kind: str, issuer: LocalIssuer
) -> None:
    """It has the issuer, the method and the identifier of the call that was let in."""
    told = Told()
    metadata = (*bearer(issuer.mint()), *(((KEY, given),) if given else ()))
    with _serving(kind, issuer, told) as server, channel_to(server.target) as channel:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(path("UU"))(b"refuse", timeout=TIMEOUT, metadata=metadata)
        verified, refused = told.next()
        assert (type(verified), type(refused)) == (Verified, Refused)
        assert refused.refusal is Refusal.CLAIM_INSUFFICIENT
        assert (refused.issuer, refused.operation) == (issuer.url, path("UU"))
        assert refused.kid == verified.kid is not None
        assert refused.correlation_id == verified.correlation_id
        assert given is None or verified.correlation_id == given


@pytest.mark.parametrize("kind", KINDS)
def test_caller_with_a_bound_token_is_let_in_once_its_key_is_proved(kind: str, issuer: LocalIssuer) -> None:
    """One event, with the proof; and none but the refusal where the key is not proved."""
    told = Told()
    proxy = ProvingProxy("kong", only_from=from_networks("127.0.0.0/8", "::1/128"))
    rows = (
        ({"x5t#S256": "c"}, Verified, None),
        ({"x5t#S256": "c"}, Verified, None),
        ({"jkt": "k"}, Refused, "token_sender_constrained"),
    )
    with (
        _serving(kind, issuer, told, unsafe_binding_proved_by=proxy) as server,
        channel_to(server.target) as channel,
    ):
        for shape in ("unary-unary", "stream-unary"):
            for cnf, outcome, refusal in rows:
                metadata = (*bearer(issuer.mint(claims={"cnf": cnf})), (KEY, "call-1"))
                assert SHAPES[shape](channel, metadata).code == refusal
                (event,) = told.next()
                assert (type(event), event.issuer, event.correlation_id) == (outcome, issuer.url, "call-1")
                assert refusal is not None or event.proof != "bearer"


@pytest.mark.parametrize("make", [AuthInterceptor, SyncAuthInterceptor])
def test_refusals_are_shown_where_nobody_configured_logging(
    make: Any, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the interceptor on; a program that has configured it is left alone."""
    root, ours = logging.getLogger(), logging.getLogger("bearward")
    monkeypatch.setattr(ours, "handlers", [])
    monkeypatch.setattr(ours, "level", logging.NOTSET)
    for handlers, shown in (([logging.NullHandler()], 0), ([], 1)):
        monkeypatch.setattr(root, "handlers", handlers)
        make(trust(issuer), {SERVICE: public})
        assert len(ours.handlers) == shown
    withdraw()
