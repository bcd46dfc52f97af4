"""`python -m tests.interop.peers.both CONFIG CERT KEY CA FORM NAME SECRET`: both samples in one process, one verifier.

Sanic serves plain HTTP and grpc.aio a plain port, and both take the client's certificate from the field NAME in this FORM
where `x-proxy-secret` is SECRET, as behind a proxy that replaces what callers send; a second grpc.aio server speaks mutual TLS itself. All accept tokens that are bound to the
client's certificate. Beyond the samples' own, `GET /same` says whether the caller, as seen by Sanic, equals the caller
that gRPC saw with the same `jti`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json as json_response

from bearward import Principal
from bearward.client_certificates import CertificateForm, ForwardedCertificate, from_secret
from bearward.settings import Settings
from bearward.verifier import Verifier
from bearward_grpc import AuthInterceptor, current_principal
from bearward_sanic import authenticated, install
from samples.command_line import bind_socket, print_ready
from samples.grpc_methods import RULES, AioMethods
from samples.http_routes import App, add_routes
from samples.notes import MEMORY, NoteStore
from samples.service import ProtectedService, ServiceThread
from samples.v1 import sample_pb2, sample_pb2_grpc

SECRET_FIELD = "x-proxy-secret"
SEEN: dict[str, Principal] = {}
"""By `jti`: whom gRPC saw."""


class Methods(AioMethods):
    """The sample's, with a memory of who called."""

    async def WhoAmI(self, request: Any, context: Any) -> sample_pb2.WhoAmIResponse:  # noqa: N802  (the proto's name)
        """The claims."""
        principal = current_principal()
        assert principal is not None
        if principal.token_id:
            SEEN[principal.token_id] = principal
        return await super().WhoAmI(request, context)


class Servers:
    """The two gRPC servers."""

    def __init__(
        self,
        verifier: Verifier,
        service_thread: ServiceThread,
        credentials: grpc.ServerCredentials,
        forwarded: ForwardedCertificate,
    ) -> None:
        self._methods = Methods(service_thread)
        direct = AuthInterceptor(verifier, RULES, certificate_bound=True)
        behind = AuthInterceptor(verifier, RULES, client_certificate=forwarded)
        self._servers = [grpc.aio.server(interceptors=[auth]) for auth in (direct, behind)]
        for server in self._servers:
            sample_pb2_grpc.add_ProtectedServiceServicer_to_server(self._methods, server)
        self._ports = (
            ("grpcs", self._servers[0].add_secure_port("127.0.0.1:0", credentials)),
            ("grpc", self._servers[1].add_insecure_port("127.0.0.1:0")),
        )

    async def start(self) -> None:
        """Serve, and say where."""
        for server in self._servers:
            await server.start()
        for scheme, port in self._ports:
            print_ready(scheme, "127.0.0.1", port)

    async def stop(self) -> None:
        """End the streams, then the servers."""
        self._methods.stop()
        for server in self._servers:
            await server.stop(1)


def main(
    config: str, certificate: str, key: str, authority: str, form: CertificateForm, name: str, secret: str
) -> None:
    """Serve until told to end."""
    forwarded = ForwardedCertificate(form, name=name, only_from=from_secret(SECRET_FIELD, secret))
    verifier = Settings.from_toml(config).verifier()
    app: App = Sanic("both", configure_logging=False)
    install(app, verifier, default=authenticated, client_certificate=forwarded)
    service_thread, stopping = ServiceThread(ProtectedService(NoteStore(MEMORY))), asyncio.Event()
    add_routes(app, service_thread, verifier, stopping)
    pairs = [(Path(key).read_bytes(), Path(certificate).read_bytes())]
    credentials = grpc.ssl_server_credentials(pairs, Path(authority).read_bytes(), require_client_auth=True)
    sock = bind_socket("127.0.0.1", 0)

    @app.get("/same")
    async def same(request: Request) -> HTTPResponse:
        here, there = request.ctx.principal, SEEN.get(request.ctx.principal.token_id)
        return json_response({"equal": here == there, "hash": hash(here) == hash(there), "key": here.key_thumbprint})

    async def start(app: App) -> None:
        app.ctx.servers = Servers(verifier, service_thread, credentials, forwarded)
        await app.ctx.servers.start()
        print_ready("http", "127.0.0.1", sock.getsockname()[1])

    async def stop(app: App) -> None:
        stopping.set()
        await app.ctx.servers.stop()

    async def close(_: App) -> None:
        service_thread.close()

    app.after_server_start(start)
    app.before_server_stop(stop)
    app.after_server_stop(close)
    app.prepare(sock=sock, single_process=True, access_log=False, motd=False)
    Sanic.serve_single(app)


if __name__ == "__main__":
    given: Any = sys.argv[1:]
    main(*given)
