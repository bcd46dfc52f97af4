"""`python -m tests.interop.peers.both CONFIG CERT KEY CA`: both adapters in one process, behind one verifier.

Sanic serves plain HTTP and grpc.aio a plain port, and both believe `x-forwarded-client-cert`, as behind a proxy that
replaces what callers send; a second grpc.aio server speaks mutual TLS itself. All accept tokens that are bound to the client's certificate. `GET /same` says whether the
caller, as seen by Sanic, equals the caller that gRPC saw with the same `jti`.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import grpc
import grpc.aio
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json as json_response

from bearward import AUTHENTICATED, Principal
from bearward.settings import Settings
from bearward_grpc import AuthInterceptor, current_principal
from bearward_sanic import install
from samples.command_line import bound, ready
from samples.http_routes import App
from samples.v1 import sample_pb2, sample_pb2_grpc

SERVICE = "/bearward.sample.v1.ProtectedService"
HEADER = "x-forwarded-client-cert"
SEEN: dict[str, Principal] = {}
"""By `jti`: whom gRPC saw."""


def from_request(request: Request) -> bytes | None:
    """For Sanic."""
    return _forwarded(request.headers.getall(HEADER, []))


def from_context(context: Any) -> bytes | None:
    """For gRPC."""
    return _forwarded([value for name, value in context.invocation_metadata() if name == HEADER])


def _forwarded(values: list[str]) -> bytes | None:
    """The client's certificate as Envoy forwards it: `Cert="<PEM, percent-encoded>"`, one hop only."""
    found = re.findall(r'Cert="([^"]*)"', values[0]) if len(values) == 1 else []
    return ssl.PEM_cert_to_DER_cert(unquote(found[0])) if len(found) == 1 else None


class Methods(sample_pb2_grpc.ProtectedServiceServicer):
    """Who calls, and a memory of it."""

    async def WhoAmI(self, request: Any, context: Any) -> sample_pb2.WhoAmIResponse:  # noqa: N802  (the proto's name)
        """The claims."""
        principal = current_principal()
        assert principal is not None
        if principal.token_id:
            SEEN[principal.token_id] = principal
        return sample_pb2.WhoAmIResponse(principal=json.dumps(principal.to_dict()))


def main(config: str, certificate: str, key: str, authority: str) -> None:
    """Serve until told to end."""
    verifier = Settings.from_toml(config).verifier()
    app: App = Sanic("both", configure_logging=False)
    install(app, verifier, client_certificate=from_request)
    policy = {f"{SERVICE}/WhoAmI": AUTHENTICATED}
    direct = AuthInterceptor(verifier, policy, certificate_bound=True)
    behind = AuthInterceptor(verifier, policy, client_certificate=from_context)
    pairs = [(Path(key).read_bytes(), Path(certificate).read_bytes())]
    credentials = grpc.ssl_server_credentials(pairs, Path(authority).read_bytes(), require_client_auth=True)
    sock = bound("127.0.0.1", 0)

    @app.get("/whoami")
    async def whoami(request: Request) -> HTTPResponse:
        return json_response(request.ctx.principal.to_dict())

    @app.get("/same")
    async def same(request: Request) -> HTTPResponse:
        here, there = request.ctx.principal, SEEN.get(request.ctx.principal.token_id)
        return json_response({"equal": here == there, "hash": hash(here) == hash(there), "key": here.key})

    async def start(app: App) -> None:
        app.ctx.servers = [grpc.aio.server(interceptors=[auth]) for auth in (direct, behind)]
        for server in app.ctx.servers:
            sample_pb2_grpc.add_ProtectedServiceServicer_to_server(cast("Any", Methods)(), server)
        ports = (
            app.ctx.servers[0].add_secure_port("127.0.0.1:0", credentials),
            app.ctx.servers[1].add_insecure_port("127.0.0.1:0"),
        )
        for scheme, server, port in zip(("grpcs", "grpc"), app.ctx.servers, ports, strict=True):
            await server.start()
            ready(scheme, "127.0.0.1", port)
        ready("http", "127.0.0.1", sock.getsockname()[1])

    async def stop(app: App) -> None:
        for server in app.ctx.servers:
            await server.stop(1)

    app.after_server_start(start)
    app.before_server_stop(stop)
    app.prepare(sock=sock, single_process=True, access_log=False, motd=False)
    Sanic.serve_single(app)


if __name__ == "__main__":
    main(*sys.argv[1:])
