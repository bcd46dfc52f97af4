"""Run as a program: a verifier that is started before a fork, and a grpc.server that serves in the child.

    python -m tests.adapters.grpc.forking_server

It prints, as JSON, how calls ended in the child before and after the issuer rotated its key and withdrew the old one,
and whether the parent's verifier still works once the child has gone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bearward import JWKSOptions, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_grpc import SyncAuthInterceptor, VerifierThread, authenticated

TIMEOUT = 20.0


def serve(auth: SyncAuthInterceptor, ports: Any, stop: Any) -> None:
    """In the child: serve until told to stop."""
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[auth])
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {"M": handler}),))
    ports.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    stop.wait(60)
    server.stop(0).wait(10)
    auth.background.stop()
    os._exit(0)


def call(port: int, token: str) -> str:
    """How one call ended."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = channel.unary_unary("/t.T/M")
        try:
            stub(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=TIMEOUT)
        except grpc.RpcError as error:
            ended: Any = error
            return str(dict(ended.trailing_metadata() or ()).get("bearward-code", ended.code().name))
        return "served"


def main() -> None:
    """Fork before anything of grpc runs in the parent, then call the child."""
    fork = multiprocessing.get_context("fork")
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        options = JWKSOptions(cooldown=0.1)
        trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=options)
        with VerifierThread(Verifier(trusted)) as background:
            auth = SyncAuthInterceptor(background, {"t.T": authenticated})
            ports, stop = fork.Queue(), fork.Event()
            child = fork.Process(target=serve, args=(auth, ports, stop))
            child.start()
            port = ports.get(timeout=TIMEOUT)
            old = issuer.key()
            told = {"inherited keys": call(port, issuer.mint())}
            issuer.rotate()
            issuer.withdraw(old)
            told["rotated"] = call(port, issuer.mint())
            told["expired"] = call(port, issuer.mint(expires_in=-60))
            told["withdrawn"] = call(port, issuer.mint(key=old))
            stop.set()
            child.join(TIMEOUT)
            told["child"] = str(child.exitcode)
            verified = background.submit(background.verifier.verify(issuer.mint(sub="ada"))).result(TIMEOUT)
            told["parent"] = str(verified.subject)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
