"""Calls that arrive before there are keys: served, refused and cancelled as if there had been, on both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from bearward import JWKSOptions, TrustedIssuer, Verifier, scope
from bearward.jwks.options import StartMode
from bearward.testing import LocalIssuer
from tests.adapters.grpc.calls import METHOD_OF, SHAPES, TIMEOUT, bearer, channel_to, path
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import KINDS, SERVICE, Methods, Running, register, serving


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Iterator[Running]:
    """A server whose verifier fetches keys when the first token asks for them."""
    trusted = TrustedIssuer(
        issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=JWKSOptions(start=StartMode.LAZY)
    )
    with serving(request.param, Verifier(trusted), {SERVICE: scope("echo")}) as running:
        yield running


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "unknown method"])
def test_first_call_of_every_rpc_shape_is_served(shape: str, server: Running, issuer: LocalIssuer) -> None:
    """It waits for the keys, then runs as any other, and knows its caller."""
    with channel_to(server.target) as channel:
        outcome = SHAPES[shape](channel, bearer(issuer.mint(sub="ada", scope="echo")))
    assert (outcome.status, server.seen.callers) == (grpc.StatusCode.OK, ["ada"])
    assert outcome.messages[0].startswith(b"ada")


def test_first_call_of_an_unknown_method_is_unimplemented(server: Running, issuer: LocalIssuer) -> None:
    """UNIMPLEMENTED, for a caller who proved to be one."""
    with channel_to(server.target) as channel:
        outcome = SHAPES["unknown method"](channel, bearer(issuer.mint(scope="echo")))
    assert outcome.status is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("shape", SHAPES)
def test_first_refusal_does_not_wait_for_the_request_body(shape: str, server: Running, issuer: LocalIssuer) -> None:
    """Also when keys must be fetched first, a client that sends headers only gets its answer."""
    with RawCall(server.port, path(METHOD_OF[shape]), bearer(issuer.mint(scope="other"))) as call:
        reply = call.until_end()
    assert reply.trailers_only
    assert (reply.status, reply.headers[0]["bearward-code"]) == (7, "scope_insufficient")
    assert not server.seen.bodies
    assert not server.seen.callers


def test_cancelled_call_does_not_cancel_the_shared_fetch(server: Running, issuer: LocalIssuer) -> None:
    """Eight cold calls, the first of them cancelled: one fetch, seven responses."""
    fetches = issuer.requests("/jwks")
    issuer.hold()
    with channel_to(server.target) as channel, ThreadPoolExecutor(8) as pool:
        metadata = bearer(issuer.mint(sub="ada", scope="echo"))
        leaving = channel.unary_unary(path("UU")).future(b"", timeout=TIMEOUT, metadata=metadata)
        issuer.wait_for_requests("/jwks", fetches + 1)
        staying = [pool.submit(SHAPES["unary-unary"], channel, metadata) for _ in range(7)]
        leaving.cancel()
        issuer.release()
        assert [done.result(TIMEOUT).status for done in staying] == [grpc.StatusCode.OK] * 7
    assert issuer.requests("/jwks") == fetches + 1


def _fails(_: object, *__: object) -> bytes:
    raise ValueError("nothing for callers")


def _answers(request: bytes, _: object) -> bytes:
    return request


BROKEN = {
    "the request cannot be decoded": grpc.unary_unary_rpc_method_handler(_answers, request_deserializer=_fails),
    "the response cannot be encoded": grpc.unary_unary_rpc_method_handler(_answers, response_serializer=_fails),
    "the handler fails": grpc.unary_unary_rpc_method_handler(_fails),
    "no message came": grpc.unary_unary_rpc_method_handler(_answers),
    "a stream's handler fails": grpc.unary_stream_rpc_method_handler(_fails),
}


@pytest.mark.parametrize("name", BROKEN)
def test_first_call_fails_with_the_same_status_as_later_ones(name: str, issuer: LocalIssuer) -> None:
    """On grpc.server a cold call is served through a shell; what goes wrong in it has grpc's own status."""
    trusted = TrustedIssuer(
        issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=JWKSOptions(start=StartMode.LAZY)
    )
    handlers: Methods = {"UUnlucky": BROKEN[name]}
    with serving(
        "sync",
        Verifier(trusted),
        {"lab.v1.Broken": scope("echo")},
        add=lambda s: register(s, handlers, "lab.v1.Broken"),
    ) as server:
        cold, warm = (_attempt(server, issuer, send=name != "no message came") for _ in range(2))
    assert cold == warm
    assert cold not in {0, 16}


def _attempt(server: Running, issuer: LocalIssuer, *, send: bool) -> int:
    with RawCall(server.port, "/lab.v1.Broken/UUnlucky", bearer(issuer.mint(scope="echo"))) as call:
        if send:
            call.send(b"message", end=True)
        else:
            call.half_close()
        return call.until_end().status
