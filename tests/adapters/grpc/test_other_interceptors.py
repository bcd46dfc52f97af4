"""In company: grpc's health and reflection services, and OpenTelemetry's interceptor on either side of ours."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.trace import TracerProvider

from bearward import scope
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated
from tests.adapters.grpc.calls import METHOD_OF, SHAPES, TIMEOUT, Channel, bearer, channel_to, collect
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, serving
from tests.adapters.grpc.streaming import StreamControls, SyncStreamControls, revoke, until_unwatched
from tests.adapters.grpc.test_streams import FORMS, open_call, outcome_of

RULES = {SERVICE: scope("echo")}
SERVING = health_pb2.HealthCheckResponse.SERVING


def add_health(kind: str) -> Any:
    """Health as grpc ships it for this kind of server."""

    def add(server: Any) -> None:
        servicer = health.HealthServicer() if kind == "sync" else health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        reflection.enable_server_reflection([SERVICE, "grpc.health.v1.Health"], server)

    return add


@pytest.mark.parametrize("kind", KINDS)
def test_health_is_public(kind: str, issuer: LocalIssuer) -> None:
    """`Check` and `Watch` answer anybody, `Watch` in the form that writes by itself too."""
    with serving(kind, trust(issuer), RULES, add=add_health(kind)) as server, channel_to(server.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT).status == SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert next(watch).status == SERVING
        watch.cancel()


@pytest.mark.parametrize("kind", KINDS)
def test_health_behind_a_rule_is_watched_like_any_stream(kind: str, issuer: LocalIssuer) -> None:
    """A guarded `Watch` ends with its token, although grpc's own servicers push their responses."""
    with (
        serving(kind, trust(issuer), RULES, health=authenticated, add=add_health(kind)) as server,
        channel_to(server.target) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        refused = stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert collect(refused).code == "credentials_missing"
        metadata = bearer(issuer.mint(jti=f"watch-{kind}"))
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT, metadata=metadata)
        assert next(watch).status == SERVING
        revoke(server, issuer, f"watch-{kind}")
        # grpc.server can cancel such a call, no more: it hands its responses over by a callback.
        ended = grpc.StatusCode.CANCELLED if kind == "sync" else grpc.StatusCode.UNAUTHENTICATED
        assert collect(watch).status is ended


def _reflect(channel: Channel, metadata: Any) -> Any:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    return stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT, metadata=metadata)


@pytest.mark.parametrize("kind", KINDS)
def test_reflection_is_closed_unless_asked_for(kind: str, issuer: LocalIssuer) -> None:
    """Closed, open, or behind a rule; where it is open, v1 answers UNIMPLEMENTED, so that tools fall back."""
    token = bearer(issuer.mint(scope="echo"))
    expected = {
        False: ("credentials_missing", "no_rule"),
        True: ("served", "served"),
        authenticated: ("credentials_missing", "served"),
    }
    for setting, outcomes in expected.items():
        with (
            serving(kind, trust(issuer), RULES, reflection=setting, add=add_health(kind)) as server,
            channel_to(server.target) as channel,
        ):
            for metadata, outcome in zip(((), token), outcomes, strict=True):
                told = collect(_reflect(channel, metadata))
                assert (told.code or ("served" if told.messages else told)) == outcome
            if setting is True:
                v1 = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
                assert collect(v1(iter(()), timeout=TIMEOUT)).status is grpc.StatusCode.UNIMPLEMENTED


def telemetry(kind: str) -> Any:
    """OpenTelemetry's server interceptor, recording for nobody."""
    make: Any = server_interceptor if kind == "sync" else aio_server_interceptor
    return make(tracer_provider=TracerProvider())


SIDES = ("outside", "inside")
# OpenTelemetry's aio interceptor cannot serve handlers that write by themselves, with or without us (contrib issue 3066).
TRACEABLE = [form for form in FORMS if "writ" not in form and form != "SS_reader"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
def test_with_telemetry_every_shape_is_refused_and_served_the_same(side: str, kind: str, issuer: LocalIssuer) -> None:
    """Traced from outside or from inside, the answers are ours."""
    others: Any = {side: [telemetry(kind)]}
    with serving(kind, trust(issuer), RULES, **others) as server, channel_to(server.target) as channel:
        for name, shape in SHAPES.items():
            assert shape(channel, ()).code == "credentials_missing", name
            assert shape(channel, bearer(issuer.mint(scope="other"))).code == "scope_insufficient", name
            served = shape(channel, bearer(issuer.mint(sub="ada", scope="echo")))
            expected = grpc.StatusCode.UNIMPLEMENTED if METHOD_OF[name] == "Nothing" else grpc.StatusCode.OK
            assert served.status is expected, name
            assert expected is not grpc.StatusCode.OK or served.messages[0].startswith(b"ada"), name


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", TRACEABLE)
def test_with_telemetry_streams_end_with_their_token(method: str, side: str, kind: str, issuer: LocalIssuer) -> None:
    """Every form of handler, on grpc.aio."""
    controls = StreamControls()
    others: Any = {side: [telemetry(kind)]}
    with (
        serving(kind, trust(issuer), RULES, behaviors=controls.async_handlers, **others) as server,
        channel_to(server.target) as channel,
    ):
        call, requests = open_call(channel, method, issuer.mint(scope="echo", jti=method))
        revoke(server, issuer, method)
        outcome = outcome_of(call, method)
        requests.close()
        assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")
        assert controls.finished.wait(TIMEOUT)
        until_unwatched(server)


@pytest.mark.parametrize("side", SIDES)
def test_with_telemetry_streams_in_threads_end_with_their_token(side: str, issuer: LocalIssuer) -> None:
    """A producing handler on grpc.server."""
    controls = SyncStreamControls()
    others: Any = {side: [telemetry("sync")]}
    with (
        serving("sync", trust(issuer), RULES, behaviors=controls.sync_handlers, **others) as server,
        channel_to(server.target) as channel,
    ):
        call, _ = open_call(channel, "US_fast", issuer.mint(scope="echo", jti="traced"))
        revoke(server, issuer, "traced")
        outcome = collect(call)
        assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")
