"""`python -m tests.chaos.flooded TRANSPORT ISSUER JWKS_URI TENANTS`: a guarded server to be flooded.

Rule of this file: the bounds are those of the defaults, apart from a short cooldown. It trusts one issuer, and all tenants
of a template, so that invented ones must be looked for.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
from sanic import Sanic
from sanic.response import text

from bearward import JWKSOptions, TenantIssuers, TrustedIssuer, Verifier, authenticated
from bearward_grpc import AuthInterceptor, SyncAuthInterceptor, VerifierThread
from bearward_sanic import install
from tests.chaos.callers import METHOD
from tests.chaos.forgeries import AUDIENCE

__all__ = ["COOLDOWN"]

COOLDOWN = 1.0
"""Seconds between two requests for keys that attackers can cause."""


def verifier(issuer: str, jwks_uri: str, tenants: str) -> Verifier:
    """Of one issuer that is listed, and of all tenants that may be invented."""
    options = JWKSOptions(cooldown=COOLDOWN)
    listed = TrustedIssuer(issuer, audience=AUDIENCE, jwks_uri=jwks_uri, jwks_options=options)
    return Verifier(listed, TenantIssuers(f"{tenants}/{{tenant}}", audience=AUDIENCE, jwks_options=options))


def handler(function: Any) -> grpc.GenericRpcHandler:
    """One method that returns nothing."""
    service, _, name = METHOD.strip("/").partition("/")
    methods: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(function)}
    return grpc.method_handlers_generic_handler(service, methods)


async def over_http(guard: Verifier, told: asyncio.Event) -> None:
    """By Sanic's own server."""
    app: Any = Sanic("flooded", configure_logging=False)
    install(app, guard, default=authenticated)

    async def call(_: Any) -> Any:
        return text("")

    app.add_route(call, "/call")
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
        await server.startup()
        await server.before_start()
        await server.after_start()
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await told.wait()
        await server.before_stop()
        await server.close()
        await server.after_stop()


async def over_grpc_aio(guard: Verifier, told: asyncio.Event) -> None:
    """By grpc.aio."""

    async def call(_: Any, __: Any) -> bytes:
        return b""

    async with guard:
        server = grpc.aio.server(interceptors=[AuthInterceptor(guard, {METHOD: authenticated})])
        server.add_generic_rpc_handlers((handler(call),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"listening on grpc://127.0.0.1:{port}", flush=True)
        await told.wait()
        await server.stop(1)


def over_grpc_server(guard: Verifier) -> None:
    """By grpc.server and a pool of threads."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with VerifierThread(guard) as running, ThreadPoolExecutor(16) as pool:
        server = grpc.server(pool, interceptors=[SyncAuthInterceptor(running, {METHOD: authenticated})])
        server.add_generic_rpc_handlers((handler(lambda _, __: b""),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        print(f"listening on grpc://127.0.0.1:{port}", flush=True)
        told.wait()
        server.stop(1).wait()


async def until_told(serve: Any, guard: Verifier) -> None:
    """Serve until SIGTERM."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await serve(guard, told)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    named, *where = sys.argv[1:]
    if named == "grpc.server":
        over_grpc_server(verifier(*where))
    else:
        asyncio.run(until_told({"http": over_http, "grpc.aio": over_grpc_aio}[named], verifier(*where)))
