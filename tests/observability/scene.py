"""A guarded server of each transport in this process, and what an operator sees of it.

Rules of this file: one set of routes by name, over Sanic, grpc.aio and grpc.server; calls go over real sockets. Every
call has a span of its own on the server: for gRPC by OpenTelemetry's own instrumentation, for Sanic by a signal.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from uuid import uuid4

import grpc
from opentelemetry import context as span_context
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from sanic import Sanic
from sanic.response import text

from bearward import (
    AuthError,
    Principal,
    Refusal,
    Requirement,
    Verifier,
    authenticated,
    claim,
    own_check,
    recent_authentication,
    requires,
    scope,
)
from bearward.events import Event, Refused, StreamEnded, Verified
from bearward.telemetry import Telemetry
from bearward_sanic import install
from tests.adapters.grpc.servers import SERVICE, running_loop
from tests.adapters.grpc.servers import serving as serving_grpc

__all__ = ["OWN_CODE", "RULES", "TRANSPORTS", "Scene", "Sight", "over_http", "scene"]

TRANSPORTS: Final = ("http", "grpc.aio", "grpc.server")
Headers = Sequence[tuple[str, str]]


class Broken(Requirement):
    """A requirement with a bug."""

    __slots__ = ()

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        """Fail."""
        raise ZeroDivisionError

    def __repr__(self) -> str:
        return "broken"


async def _refuses(principal: Principal) -> bool:
    """A check of the service's own that lets nobody in."""
    return False


async def _unreachable(principal: Principal) -> bool:
    """One that cannot reach what it asks."""
    raise ConnectionRefusedError


OWN_CODE: Final = "not_today"
RULES: Final[dict[str, Any]] = {
    "UUPlain": authenticated,
    "UUScope": scope("notes:read"),
    "UUClaim": claim("role", "admin"),
    "UUFresh": recent_authentication(max_age=60),
    "UURaise": authenticated,
    "UUBroken": requires(Broken()),
    "UUChecked": own_check(_refuses, code=OWN_CODE),
    "UUUnchecked": own_check(_unreachable, code="not_there"),
}
"""Who may call what, by the name of a method; `UUDenied` has no rule."""
NAMES: Final = (*RULES, "UUDenied")
KEPT: Final = {refusal.name: AuthError(refusal) for refusal in Refusal}
"""What a handler raises: one object for all calls, as a constant of its module is."""


@dataclass
class Sight:
    """What an operator saw of one call."""

    events: list[Verified | Refused | StreamEnded]
    lines: list[logging.LogRecord]
    counted: dict[str, int]
    """How much each code was counted more often than before."""
    span: dict[str, Any]
    """The attributes of the server's span."""

    @property
    def codes(self) -> list[str]:
        """The codes of the refusals among the events."""
        return [event.code for event in self.events if isinstance(event, Refused | StreamEnded)]


@dataclass
class Scene:
    """A server, its client, and everything that is seen of it."""

    transport: str
    verifier: Verifier
    origin: str
    call: Callable[[str, Headers], str | None]
    """Calls a method by its name; returns the code of the refusal, None for success."""
    seen: list[Event] = field(default_factory=list)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    spans: queue.SimpleQueue[ReadableSpan] = field(default_factory=queue.SimpleQueue)
    """What was finished; the span of a call may end after its answer."""

    def path(self, name: str) -> str:
        """The path of a method, as a DPoP proof has it."""
        return f"/{name}" if self.transport == "http" else f"/{SERVICE}/{name}"

    @property
    def htm(self) -> str:
        """The method of the requests, as a DPoP proof has it."""
        return "GET" if self.transport == "http" else "POST"

    def operation(self, name: str) -> str | None:
        """What events call the method; a gRPC method without rule and without generated code may be a caller's invention."""
        return self.path(name) if self.transport == "http" or name in RULES else None

    def look(self, name: str, headers: Headers) -> tuple[str | None, Sight]:
        """Call, and say what was answered and seen."""
        self.seen.clear()
        before, records = self._counts(), _Records()
        logger = logging.getLogger("bearward")
        level = logger.level
        logger.addHandler(records)
        logger.setLevel(logging.INFO)
        try:
            code = self.call(name, headers)
        finally:
            logger.removeHandler(records)
            logger.setLevel(level)
        after = self._counts()
        counted = {
            series: after[series] - before.get(series, 0) for series in after if after[series] != before.get(series)
        }
        events = [event for event in self.seen if isinstance(event, Verified | Refused | StreamEnded)]
        lines = [record for record in records.all if hasattr(record, "bearward.code")]
        return code, Sight(events, lines, counted, dict(self._finished().attributes or {}))

    def _finished(self) -> ReadableSpan:
        """The next span of a call that ends."""
        while (span := self.spans.get(timeout=30)).kind is not trace.SpanKind.SERVER:
            pass
        return span

    def _counts(self) -> dict[str, int]:
        data = self.reader.get_metrics_data()
        counts: dict[str, int] = {}
        for resource in data.resource_metrics if data is not None else ():
            for metric in (metric for one in resource.scope_metrics for metric in one.metrics):
                if metric.name == "bearward.verifications":
                    for point in metric.data.data_points:
                        code = str((point.attributes or {})["error.type"])
                        counts[code] = counts.get(code, 0) + int(getattr(point, "value", 0))
        return counts


class _Finished(SpanProcessor):
    """Hands on each span that ends."""

    def __init__(self, spans: queue.SimpleQueue[ReadableSpan]) -> None:
        self._spans = spans

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on one."""
        self._spans.put(span)


class _Records(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.all: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.all.append(record)


@contextmanager
def scene(transport: str, make: Callable[..., Verifier], **settings: Any) -> Iterator[Scene]:
    """A server of `transport`; `make` makes the verifier, with the observers that it is given."""
    seen: list[Event] = []
    reader, spans = InMemoryMetricReader(), queue.SimpleQueue[ReadableSpan]()
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(_Finished(spans))
    meters = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=meters, tracer_provider=traces)
    verifier = make(observers=[seen.append, telemetry])
    serve = over_http if transport == "http" else _over_grpc
    with serve(transport, verifier, traces, settings) as (origin, call):
        yield Scene(transport, verifier, origin, call, seen, reader, spans)
    meters.shutdown()
    traces.shutdown()


@contextmanager
def over_http(_: str, verifier: Verifier, traces: trace.TracerProvider, settings: dict[str, Any]) -> Iterator[Any]:
    """A Sanic server, and a client with one connection: the origin, and how to call a method."""
    app: Any = Sanic(f"scene-{uuid4().hex}", configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.TOUCHUP = False  # which rewrites the code of Sanic's classes, once per process
    app.config.REQUEST_MAX_HEADER_SIZE = 16_384
    tracer = traces.get_tracer("scene")

    @app.signal("http.routing.before")
    async def begin(request: Any) -> None:
        request.ctx.span = tracer.start_span("request", kind=trace.SpanKind.SERVER)
        request.ctx.attached = span_context.attach(trace.set_span_in_context(request.ctx.span))

    @app.signal("http.lifecycle.response")
    async def end(request: Any, **_: Any) -> None:
        request.ctx.span.end()
        span_context.detach(request.ctx.attached)

    async def handler(request: Any) -> Any:
        if "x-code" in request.headers:
            raise KEPT[request.headers["x-code"].upper()]
        return text("")

    for name in NAMES:
        app.add_route(_marked(handler, RULES.get(name)), f"/{name}", name=name, methods=["GET", "POST"])
    install(app, verifier, max_token_length=8192, **settings)
    with socket.create_server(("127.0.0.1", 0)) as listener, running_loop("aio") as on_loop:
        stop = on_loop(_serve(app, listener))
        port = listener.getsockname()[1]
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as client:  # which logs nothing

            def call(name: str, headers: Headers) -> str | None:
                client.putrequest(dict(headers).get("x-method", "GET"), f"/{name}")
                for field_name, value in headers:
                    client.putheader(field_name, value)
                client.endheaders()
                response = client.getresponse()
                body = response.read()
                return None if response.status == 200 else str(json.loads(body).get("code"))

            yield f"http://127.0.0.1:{port}", call
        on_loop(stop())


def _marked(handler: Any, rule: Any) -> Any:
    if rule is None:
        return handler

    async def marked(request: Any) -> Any:
        return await handler(request)

    return (requires(rule) if isinstance(rule, Requirement) else rule)(marked)


async def _serve(app: Any, listener: socket.socket) -> Any:
    server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
    await server.startup()
    await server.before_start()
    await server.after_start()

    async def stop() -> None:
        await server.before_stop()
        await server.close()
        await server.after_stop()

    return stop


@contextmanager
def _over_grpc(transport: str, verifier: Verifier, traces: TracerProvider, settings: dict[str, Any]) -> Iterator[Any]:
    kind = {"grpc.aio": "aio", "grpc.server": "sync"}[transport]

    def refused(context: Any) -> None:
        code = dict(context.invocation_metadata()).get("x-code")
        if code is not None:
            raise KEPT[code.upper()]

    async def aio(request: bytes, context: Any) -> bytes:
        refused(context)
        await asyncio.sleep(0)
        return b""

    def sync(request: bytes, context: Any) -> bytes:
        refused(context)
        return b""

    tracer = (server_interceptor if kind == "sync" else aio_server_interceptor)(tracer_provider=traces)
    sizes = (("grpc.max_metadata_size", 64_000), ("grpc.absolute_max_metadata_size", 128_000))
    with (
        serving_grpc(
            kind,
            verifier,
            {f"/{SERVICE}/{name}": rule for name, rule in RULES.items()},
            behaviors=lambda _: dict.fromkeys(NAMES, sync if kind == "sync" else aio),
            outside=[tracer],
            options={"options": sizes},
            **settings,
        ) as running,
        grpc.insecure_channel(running.target, options=sizes) as channel,
    ):

        def call(name: str, headers: Headers) -> str | None:
            try:
                method: Any = channel.unary_unary(f"/{SERVICE}/{name}")
                method(b"", timeout=30, metadata=tuple(headers))
            except grpc.RpcError as error:
                failed: Any = error
                return str(dict(failed.trailing_metadata()).get("bearward-code"))
            return None

        yield f"http://{running.target}", call
