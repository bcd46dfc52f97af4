"""`python -m tests.interop.peers.telemetry PLACE CONFIG`: a sample under OpenTelemetry's own instrumentation.

PLACE is `aio-outside`, `aio-inside`, `threads-outside`, `threads-inside` (their gRPC interceptor before or after ours),
`aio-patched`, `threads-patched` (their instrumentation, which changes `grpc.aio.server` or `grpc.server` itself), `asgi` (their middleware around Sanic under uvicorn) or `sanic` (a third party's instrumentation of Sanic itself). Each
finished span is one line: `span {"name": …, "status": …, "attributes": {…}}`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import grpc
import grpc.aio
from sanic import Sanic

from bearward.settings import Settings
from bearward_grpc import AuthInterceptor, SyncAuthInterceptor, VerifierThread
from samples.command_line import bind_socket, print_ready, wait_for_stop
from samples.grpc_methods import RULES, AioMethods, SyncMethods
from samples.http_server import create_app
from samples.notes import MEMORY, NoteStore
from samples.service import ProtectedService, ServiceThread
from samples.v1 import sample_pb2_grpc


def provider() -> Any:
    """Spans go to stdout as they end."""
    trace, export = import_module("opentelemetry.sdk.trace"), import_module("opentelemetry.sdk.trace.export")

    def line(span: Any) -> str:
        told = {"name": span.name, "status": span.status.status_code.name, "attributes": dict(span.attributes or {})}
        return f"span {json.dumps(told, default=str)}\n"

    made = trace.TracerProvider()
    made.add_span_processor(export.SimpleSpanProcessor(export.ConsoleSpanExporter(formatter=line)))
    return made


def _in_order(place: str, theirs: str, patch: str, ours: Any) -> list[Any]:
    """The interceptors to hand over; where theirs comes by itself, ours alone."""
    instrumentation = import_module("opentelemetry.instrumentation.grpc")
    if place == "patched":
        getattr(instrumentation, patch)().instrument(tracer_provider=provider())
        return [ours]
    interceptor = getattr(instrumentation, theirs)(tracer_provider=provider())
    return [interceptor, ours] if place == "outside" else [ours, interceptor]


async def aio(config: str, place: str) -> None:
    """On grpc.aio."""
    verifier = Settings.from_toml(config).verifier()
    ours = AuthInterceptor(verifier, RULES)
    interceptors = _in_order(place, "aio_server_interceptor", "GrpcAioInstrumentorServer", ours)
    server = grpc.aio.server(interceptors=interceptors)
    methods = AioMethods(ServiceThread(ProtectedService(NoteStore(MEMORY))))
    sample_pb2_grpc.add_ProtectedServiceServicer_to_server(methods, server)
    port = server.add_insecure_port("127.0.0.1:0")
    async with verifier:
        await server.start()
        print_ready("grpc", "127.0.0.1", port)
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        await told.wait()
        methods.stop()
        await server.stop(1)


def threads(config: str, place: str) -> None:
    """On grpc.server."""
    background = VerifierThread(Settings.from_toml(config).verifier())
    background.start()
    ours = SyncAuthInterceptor(background, RULES)
    interceptors = _in_order(place, "server_interceptor", "GrpcInstrumentorServer", ours)
    server = grpc.server(ThreadPoolExecutor(16), interceptors=interceptors)
    methods = SyncMethods(ProtectedService(NoteStore(MEMORY)))
    sample_pb2_grpc.add_ProtectedServiceServicer_to_server(methods, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print_ready("grpc", "127.0.0.1", port)
    wait_for_stop()
    methods.stop()
    server.stop(1).wait()
    background.stop()


def listed(app: Any) -> Any:
    """`app` with the headers of its answers as lists.

    Sanic hands an iterator on, their middleware reads it, and the server finds it empty: without this every answer of
    a Sanic application loses its headers, guarded or not.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: dict[str, Any]) -> None:
            await send({**message, "headers": list(message["headers"])} if "headers" in message else message)

        await app(scope, receive, sent)

    return wrapped


def asgi(config: str) -> None:
    """Under uvicorn, inside their middleware."""
    uvicorn, theirs = import_module("uvicorn"), import_module("opentelemetry.instrumentation.asgi")
    sock = bind_socket("127.0.0.1", 0)
    app = create_app(config, MEMORY, lambda: None)
    whole = theirs.OpenTelemetryMiddleware(listed(app), tracer_provider=provider())
    sock.listen(128)
    print_ready("http", "127.0.0.1", sock.getsockname()[1])
    uvicorn.Server(uvicorn.Config(whole, log_level="warning", timeout_graceful_shutdown=2)).run(sockets=[sock])


def sanic(config: str) -> None:
    """On Sanic's own server."""
    import_module("opentelemetry.instrumentation.sanic").SanicInstrumentor().instrument(tracer_provider=provider())
    sock = bind_socket("127.0.0.1", 0)
    app: Any = create_app(config, MEMORY, lambda: print_ready("http", "127.0.0.1", sock.getsockname()[1]))
    app.prepare(sock=sock, single_process=True, access_log=False, motd=False)
    Sanic.serve_single(app)


def main(place: str, config: str) -> None:
    """Serve until told to end."""
    server, _, order = place.partition("-")
    servers: dict[str, Callable[[], Any]] = {
        "aio": lambda: asyncio.run(aio(config, order)),
        "threads": lambda: threads(config, order),
        "asgi": lambda: asgi(config),
        "sanic": lambda: sanic(config),
    }
    servers[server]()


if __name__ == "__main__":
    main(*sys.argv[1:])
