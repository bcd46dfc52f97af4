"""Every refusal, over every shape of call, on every kind of server: one answer, and nothing of the request read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import grpc
import pytest

from bearward import AuthError, Principal, Requirement, scope
from bearward.testing import LocalIssuer, SigningKey, tamper
from tests.adapters.grpc.calls import METHOD_OF, SHAPES, Channel, Metadata, bearer, channel_to, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, serving

_SECRET = "kid-of-a-private-matter"
_16, _7, _14, _13 = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
)


class _Broken(Requirement):
    """A requirement with a bug that shows for some callers."""

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        if "bug" in principal.claims:
            raise ValueError(_SECRET)
        return None


class Case(NamedTuple):
    """How the metadata is made, and the answer that is due."""

    metadata: Callable[[LocalIssuer, LocalIssuer], Metadata]
    status: grpc.StatusCode
    code: str


def _mint(**claims: object) -> Callable[[LocalIssuer, LocalIssuer], Metadata]:
    return lambda issuer, _: bearer(issuer.mint(claims={"scope": "echo", **claims}))


CASES = {
    "no token": Case(lambda *_: (), _16, "credentials_missing"),
    "malformed": Case(lambda *_: bearer("not.a.jws"), _16, "token_malformed"),
    "bad signature": Case(
        lambda issuer, _: bearer(issuer.mint(key=SigningKey.generate("ES256"), kid=issuer.key().kid, scope="echo")),
        _16,
        "signature_invalid",
    ),
    "tampered": Case(lambda issuer, _: bearer(tamper(issuer.mint(), scope="echo")), _16, "signature_invalid"),
    "expired": Case(_mint(exp=1_000_000_000), _16, "token_expired"),
    "wrong audience": Case(_mint(aud="https://other.example"), _16, "audience_mismatch"),
    "missing scope": Case(_mint(scope="other"), _7, "scope_insufficient"),
    "keys down": Case(lambda _, absent: bearer(absent.mint(scope="echo")), _14, "keys_unavailable"),
    "internal bug": Case(_mint(bug=True), _13, "internal_error"),
}


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, issuer: LocalIssuer, absent: LocalIssuer) -> Iterator[Running]:
    """The echo service behind one rule for all of it."""
    with serving(request.param, trust(issuer, absent), {SERVICE: scope("echo") & _Broken()}) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server: Running) -> Iterator[Channel]:
    """One channel for the module."""
    with channel_to(server.target) as made:
        yield made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_refusal_is_the_same_for_every_rpc_shape(
    name: str,
    shape: str,
    server: Running,
    channel: Channel,
    issuer: LocalIssuer,
    absent: LocalIssuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Status, reason and trailers depend on the refusal alone; no handler runs and no body is decoded."""
    case = CASES[name]
    metadata = case.metadata(issuer, absent)
    outcome = SHAPES[shape](channel, metadata)
    assert (outcome.status, outcome.code, outcome.messages) == (case.status, case.code, [])
    assert (outcome.info.reason, outcome.info.domain) == (case.code.upper(), "bearward")
    assert ("www-authenticate" in outcome.trailers) == (case.status in (_16, _7))
    assert ("grpc-retry-pushback-ms" in outcome.trailers) == (case.status is _14)
    assert (outcome.retry is not None) == (case.status is _14)
    assert not server.seen.bodies
    assert not server.seen.callers
    told = caplog.text + outcome.details + repr(outcome.trailers)
    assert _SECRET not in told
    assert not metadata or metadata[0][1].removeprefix("Bearer ") not in told


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_refusal_does_not_wait_for_the_request_body(
    name: str, shape: str, server: Running, issuer: LocalIssuer, absent: LocalIssuer
) -> None:
    """A client that sends headers only gets the whole answer in one HEADERS frame."""
    case = CASES[name]
    with RawCall(server.port, path(METHOD_OF[shape]), case.metadata(issuer, absent)) as call:
        reply = call.until_end()
    assert reply.trailers_only
    assert (reply.status, reply.headers[0]["bearward-code"]) == (case.status.value[0], case.code)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "unknown method"])
def test_verified_caller_is_served_in_every_rpc_shape(shape: str, server: Running, issuer: LocalIssuer) -> None:
    """With a good token every kind of method runs, and knows its caller."""
    with channel_to(server.target) as own:
        outcome = SHAPES[shape](own, bearer(issuer.mint(sub="ada", scope="echo")))
    assert outcome.status is grpc.StatusCode.OK
    assert outcome.messages[0].startswith(b"ada")
    server.seen.bodies.clear()
    server.seen.callers.clear()


def test_unknown_method_is_unimplemented_for_verified_callers(
    server: Running, channel: Channel, issuer: LocalIssuer
) -> None:
    """UNIMPLEMENTED is for those who may know."""
    outcome = SHAPES["unknown method"](channel, bearer(issuer.mint(scope="echo")))
    assert outcome.status is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", ["/no.such.Service/Method", "/lab.v1.Echo", "//lab.v1.Echo/UU", "/lab.v1.echo/UU"])
def test_method_without_a_rule_is_refused(method: str, server: Running, issuer: LocalIssuer) -> None:
    """Anonymous callers are told what they are always told; known ones, that no rule allows it."""
    for metadata, status, code in (
        ((), _16, "credentials_missing"),
        (bearer(issuer.mint(scope="echo")), _7, "no_rule"),
    ):
        with RawCall(server.port, method, metadata) as call:
            reply = call.until_end()
        assert (reply.status, reply.headers[0].get("bearward-code")) == (status.value[0], code)
