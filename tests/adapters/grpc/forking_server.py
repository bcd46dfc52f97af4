"""Run as a program: a gRPC server in a child process, which a verifier's owner forks, or which is sent its settings.

    python -m tests.adapters.grpc.forking_server START KIND

START is `fork` (the child inherits an interceptor whose verifier has started), `spawn` or `forkserver` (it makes its own
from what is sent). KIND is `sync` or `aio`. It prints, as JSON, how calls ended in the child before and after the issuer
rotated its key and withdrew the old one, and whether the parent's verifier still works once the child has gone.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc

from bearward import JWKSOptions, Settings, TrustedIssuer, Verifier, authenticated
from bearward.jwks import StartMode
from bearward.testing import LocalIssuer
from bearward_grpc import AuthInterceptor, SyncAuthInterceptor, VerifierThread
from bearward_grpc.method_rules.policy import Policy

TIMEOUT = 40.0
MAX_AGE = 3.0
PATIENT: dict[str, Any] = {"connect_timeout": 20.0, "read_timeout": 20.0, "total_timeout": 20.0}
"""The machine may be busy; what is tested is what is fetched, and not how fast."""


class Sent(NamedTuple):
    """What a child is sent, or inherits."""

    settings: Settings
    policy: Policy
    interceptor: Any = None


def handler(method: Callable[..., Any]) -> Any:
    """The methods of the server."""
    one: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(method)
    return grpc.method_handlers_generic_handler("t.T", {"M": one})


def serve_sync(sent: Sent, ports: Any, stop: Any) -> None:
    """In the child: serve with grpc.server until told to stop."""
    auth = sent.interceptor or SyncAuthInterceptor(sent.settings.verifier(), sent.policy)
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[auth])
    server.add_generic_rpc_handlers((handler(lambda request, _: request),))
    ports.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    stop.wait(60)
    server.stop(0).wait(10)
    auth.background.stop()
    os._exit(0)


def serve_aio(sent: Sent, ports: Any, stop: Any) -> None:
    """In the child: serve with grpc.aio until told to stop."""

    async def method(request: bytes, _: Any) -> bytes:
        return request

    async def serve() -> None:
        verifier: Any = None if sent.interceptor else sent.settings.verifier()
        auth = sent.interceptor or AuthInterceptor(verifier, sent.policy)
        server = grpc.aio.server(interceptors=[auth])
        server.add_generic_rpc_handlers((handler(method),))
        ports.put(server.add_insecure_port("127.0.0.1:0"))
        if verifier is not None:
            await verifier.start()
        await server.start()
        await asyncio.to_thread(stop.wait, 60)
        await server.stop(0)

    asyncio.run(serve())
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


def until(ask: Callable[[], str], expected: str) -> str:
    """What is said in the end, be it what is expected or not."""
    deadline = time.monotonic() + TIMEOUT
    while (said := ask()) != expected and time.monotonic() < deadline:
        time.sleep(MAX_AGE / 8)
    return said


def life(context: Any, issuer: LocalIssuer, work: Callable[..., None], sent: Sent) -> dict[str, str]:
    """Keys that are inherited, that grow old, and that rotate, in a child that serves."""
    ports, stop = context.Queue(), context.Event()
    child = context.Process(target=work, args=(sent, ports, stop), daemon=True)
    child.start()
    port = ports.get(timeout=TIMEOUT)
    old = issuer.key()
    told = {"keys of the start": call(port, issuer.mint())}
    issuer.rotate()
    issuer.withdraw(old)
    told["withdrawn"] = until(lambda: call(port, issuer.mint(key=old)), "key_unknown")
    told["rotated"] = until(lambda: call(port, issuer.mint()), "served")
    told["expired"] = call(port, issuer.mint(expires_in=-60))
    stop.set()
    child.join(TIMEOUT)
    told["child"] = str(child.exitcode)
    return told


def inherited_sync(settings: Settings, policy: Policy, live: Callable[[Any], dict[str, str]], mint: Any) -> Any:
    """The parent's `VerifierThread` runs while it forks."""
    with VerifierThread(settings.verifier()) as background:
        told = live(SyncAuthInterceptor(background, policy))
        told["parent"] = str(background.submit(background.verifier.verify(mint())).result(TIMEOUT).subject)
    return told


def inherited_aio(settings: Settings, policy: Policy, live: Callable[[Any], dict[str, str]], mint: Any) -> Any:
    """The parent has started the verifier on a loop of its own, as an application that is preloaded may."""
    with asyncio.Runner() as runner:
        verifier: Verifier = settings.verifier()
        runner.run(verifier.start())
        told = live(runner.run(_made(verifier, policy)))
        told["parent"] = str(runner.run(verifier.verify(mint())).subject)
        runner.run(verifier.aclose())
    return told


async def _made(verifier: Verifier, policy: Policy) -> AuthInterceptor:
    return AuthInterceptor(verifier, policy)


def main() -> None:
    """Fork before anything of grpc runs in the parent, then call the child."""
    method, kind = sys.argv[1:]
    context = multiprocessing.get_context(method)
    serve = serve_sync if kind == "sync" else serve_aio
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        options = JWKSOptions(cooldown=0.1, max_age=MAX_AGE, min_age=0.0, start=StartMode.REQUIRED, **PATIENT)
        settings = Settings(
            issuers=(TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=options),),
        )
        policy = Policy({"t.T": authenticated})
        if method == "fork":
            inherit = inherited_sync if kind == "sync" else inherited_aio
            told = inherit(
                settings,
                policy,
                lambda auth: life(context, issuer, serve, Sent(settings, policy, auth)),
                lambda: issuer.mint(sub="ada"),
            )
        else:
            told = life(context, issuer, serve, Sent(settings, policy))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
