"""The server under load: one grpc.aio echo, in one of several dresses.

    python -m benchmarks.grpc.server guarded --issuer http://127.0.0.1:1234 --port 45001 --loop uvloop

Prints `ready` and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import uvloop

from bearward import TrustedIssuer, Verifier, scope
from bearward_grpc import AuthInterceptor

SERVICE = "bench.v1.Echo"
AUDIENCE = "https://api.example"
VARIANTS = ("bare", "no-op", "guarded", "fresh")
MESSAGES = 1000
"""How many messages a streamed answer has."""


async def echo(request: bytes, _: Any) -> bytes:
    """Unary."""
    return request


async def many(request: bytes, _: Any) -> AsyncIterator[bytes]:
    """Server streaming."""
    for _i in range(MESSAGES):
        yield request


class NoOp(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """What any interceptor costs."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Pass on."""
        return await continuation(handler_call_details)


class Forgetful(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Makes each token a fresh one: h2load can send one header only, so what was verified is forgotten instead."""

    def __init__(self, verifier: Verifier) -> None:
        self._cache = verifier._cache  # noqa: SLF001  (what a fresh token costs cannot be asked for otherwise)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Pass on."""
        if self._cache is not None:
            self._cache.clear()
        return await continuation(handler_call_details)


async def serve(variant: str, issuer: str, port: int) -> None:
    """Serve until standard input ends."""
    verifier = Verifier(TrustedIssuer(issuer, audience=AUDIENCE, jwks_uri=f"{issuer}/jwks"))
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(echo),
        "Stream": grpc.unary_stream_rpc_method_handler(many),
    }
    async with verifier:
        auth = AuthInterceptor(verifier, {SERVICE: scope("echo")})
        interceptors: dict[str, list[Any]] = {
            "bare": [],
            "no-op": [NoOp()],
            "guarded": [auth],
            "fresh": [Forgetful(verifier), auth],
        }
        server = grpc.aio.server(interceptors=interceptors[variant])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        if hasattr(server, "add_registered_method_handlers"):
            server.add_registered_method_handlers(SERVICE, handlers)
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await server.stop(0)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    given = parser.parse_args()
    factory = uvloop.new_event_loop if given.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(given.variant, given.issuer, given.port))


if __name__ == "__main__":
    main()
