"""A server with several workers, run as a program: `python -m tests.adapters.sanic.workers_program <json>`."""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Some of Sanic's decorators have no types.

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic import response as answer

from bearward import JWKSOptions, TrustedIssuer, Verifier
from bearward_sanic import authenticated, install, public

OPTIONS: dict[str, Any] = json.loads(os.environ["BEARWARD_TEST_OPTIONS"])


def make_verifier() -> Verifier:
    """Of a worker, or of the process that forks them."""
    keys = JWKSOptions(**OPTIONS.get("keys", {}))
    issuer = TrustedIssuer(OPTIONS["issuer"], audience=OPTIONS["audience"], jwks_options=keys)
    return Verifier(issuer, jwks_cache=OPTIONS["cache"], jwks_cache_secret=b"a secret of the test")


def inherited_app() -> Any:
    """That of the process that forked this one."""
    return Sanic.get_app("workers")


def make_app() -> Any:
    """The application, made again in every process."""
    app: Any = Sanic("workers")
    app.config.AUTO_EXTEND = OPTIONS["ext"]
    app.config.update(OPTIONS.get("config", {}))
    install(app, make_verifier(), default=authenticated)

    @app.get("/who")
    async def who(request: Request) -> HTTPResponse:
        return answer.json({"worker": os.getpid(), "subject": request.ctx.principal.subject})

    @app.get("/state")
    @public
    async def state(request: Request) -> HTTPResponse:
        return answer.json(
            [one["bearward"] for one in app.m.workers.values() if "bearward" in one and one["state"] == "ACKED"]
        )

    @app.get("/end")
    @public
    async def end(request: Request) -> HTTPResponse:
        app.m.terminate()
        return answer.json("ending")

    @app.after_server_start
    async def ready(app: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    if OPTIONS.get("wrong"):
        app.add_route(who, "/wrong", name="wrong", ctx_auth="wrong")
    return app


if __name__ == "__main__":
    from sanic.worker.loader import AppLoader

    if "start_method" in OPTIONS:
        Sanic.start_method = OPTIONS["start_method"]
    forks = Sanic.start_method == "fork"
    served = make_app()
    if OPTIONS.get("preload"):
        with asyncio.Runner() as runner:
            runner.run(served.ctx.bearward.verifier.start())
    loader = AppLoader(factory=inherited_app if forks else make_app)
    served.prepare(host="127.0.0.1", port=OPTIONS["port"], workers=OPTIONS["workers"], motd=False, access_log=False)
    Sanic.serve(primary=served, app_loader=loader)
