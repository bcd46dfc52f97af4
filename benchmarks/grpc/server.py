"""The servers under load: one grpc.aio echo, in several dresses, each on its own port.

    python -m benchmarks.grpc.server --issuer http://127.0.0.1:1234 --loop uvloop

All in one process: two processes differ by some per cent in how their memory happens to lie, for as long as they live.
Prints the ports as JSON and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import uvloop

from bearward import TrustedIssuer, Verifier, scope
from bearward_grpc import AuthInterceptor, guarded_server
from benchmarks.providers import PROVIDERS, Check, signature_alone

SERVICE = "bench.v1.Echo"
AUDIENCE = "https://api.example"
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


class SignatureAlone(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """The floor of a fresh token: an interceptor that verifies the signature, and looks at nothing else."""

    def __init__(self, check: Check) -> None:
        self._check = check

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Take the token out of the metadata; a wrong signature raises."""
        self._check(dict(handler_call_details.invocation_metadata)["authorization"][7:])
        return await continuation(handler_call_details)


async def serve(issuer: str) -> None:
    """Serve until standard input ends."""
    verifier = Verifier(TrustedIssuer(issuer, audience=AUDIENCE, jwks_uri=f"{issuer}/jwks"))
    library = "aws-lc" if "aws-lc" in PROVIDERS else "cryptography"  # as bearward chooses
    async with verifier:
        dresses: dict[str, list[Any]] = {
            "bare": [],
            "bare again": [],
            "no-op": [NoOp()],
            "signature": [SignatureAlone(await asyncio.to_thread(signature_alone, f"{issuer}/jwks", library))],
            "interceptor": [AuthInterceptor(verifier, {SERVICE: scope("echo")})],
        }
        servers = {name: with_echo(grpc.aio.server(interceptors=dress)) for name, dress in dresses.items()}
        servers["guarded"] = with_echo(guarded_server(AuthInterceptor(verifier, {SERVICE: scope("echo")})))
        ports = {name: server.add_insecure_port("127.0.0.1:0") for name, server in servers.items()}
        for server in servers.values():
            await server.start()
        print(json.dumps(ports), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for server in servers.values():
            await server.stop(0)


def with_echo(server: Any) -> Any:
    """The server with the echo, registered as generated code does it."""
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(echo),
        "Stream": grpc.unary_stream_rpc_method_handler(many),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if hasattr(server, "add_registered_method_handlers"):
        server.add_registered_method_handlers(SERVICE, handlers)
    return server


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    given = parser.parse_args()
    factory = uvloop.new_event_loop if given.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(given.issuer))


if __name__ == "__main__":
    main()
