"""A gRPC service behind bearer tokens: ISSUER=https://login.example/ python examples/grpc_service.py."""

import asyncio
import os

import grpc

from bearward import TrustedIssuer, Verifier, authenticated, requires, scope
from bearward_grpc import AuthInterceptor, current_principal

rules = {"/Orders/List": requires(scope("orders:read"))}


async def list_orders(request, context):
    return f"for {current_principal().subject}".encode()


async def main():
    async with Verifier(TrustedIssuer(os.environ["ISSUER"], audience="https://api.example")) as verifier:
        server = grpc.aio.server(interceptors=[AuthInterceptor(verifier, rules, default=authenticated)])
        methods = {"List": grpc.unary_unary_rpc_method_handler(list_orders)}  # yours: add_…Servicer_to_server(…)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Orders", methods)])
        server.add_insecure_port(f"127.0.0.1:{os.environ.get('PORT', '50051')}")
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
