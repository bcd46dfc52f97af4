"""Run as a program: one member of a fleet that shares its revocations, served over Sanic and over gRPC in one process.

    python -m tests.adapters.fleet_member '{"cache": ..., "secret": ..., "on_failure": ..., "issuer": ..., "jwks": ...}'

It prints `listening on <HTTP port> <gRPC port>` once it serves, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from sanic import Request, Sanic
from sanic import json as json_response

from bearward import SharedRevocations, TrustedIssuer, Verifier
from bearward_grpc import AuthInterceptor, authenticated
from bearward_sanic import install, public

SERVICE = "tests.Fleet"
AUDIENCE = "https://api.example"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h: a test run that is killed leaves no server behind


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    options = json.loads(sys.argv[1])
    revocations = SharedRevocations(
        cache=options["cache"],
        cache_secret=options["secret"].encode(),
        on_failure=options["on_failure"],
        grace=4.0,  # a busy machine is no outage
    )
    policy = TrustedIssuer(options["issuer"], audience=AUDIENCE, jwks=options["jwks"])
    verifier = Verifier(policy, revocations=revocations)
    app: Sanic[Any, Any] = Sanic("fleet-member", configure_logging=False)
    install(app, verifier, default=authenticated)
    _add_routes(app, verifier)
    listener = socket.create_server(("127.0.0.1", 0))

    async def serve_grpc(app: Sanic[Any, Any]) -> None:
        server = grpc.aio.server(interceptors=[AuthInterceptor(verifier, {SERVICE: authenticated})])
        server.add_generic_rpc_handlers((_handlers(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        app.ctx.grpc = server
        sys.stdout.write(f"listening on {listener.getsockname()[1]} {port}\n")
        sys.stdout.flush()

    async def stop_grpc(app: Sanic[Any, Any]) -> None:
        await app.ctx.grpc.stop(0)

    app.after_server_start(serve_grpc)
    app.before_server_stop(stop_grpc)
    app.run(sock=listener, single_process=True, access_log=False, motd=False)


def _add_routes(app: Sanic[Any, Any], verifier: Verifier) -> None:
    @app.get("/now")
    async def now(_: Request) -> Any:
        return json_response({})

    @app.get("/health")
    @public
    async def health(_: Request) -> Any:
        return json_response(verifier.health().to_dict())

    @app.get("/events")
    async def events(request: Request) -> None:
        response = await request.respond(content_type="text/event-stream")
        assert response is not None
        await response.send("data: first\n\n")
        await asyncio.Event().wait()

    @app.websocket("/chat")
    async def chat(_: Request, socket: Any) -> None:
        await socket.send("first")
        await asyncio.Event().wait()


def _handlers() -> grpc.GenericRpcHandler:
    async def now(_: bytes, __: Any) -> bytes:
        return b""

    async def events(_: bytes, __: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    methods: dict[str, Any] = {
        "Now": grpc.unary_unary_rpc_method_handler(now),
        "Events": grpc.unary_stream_rpc_method_handler(events),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


if __name__ == "__main__":
    main()
