"""A server with several workers, run as a program: `python -m tests.adapters.sanic.workers_program <json>`."""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Some of Sanic's decorators have no types.

from __future__ import annotations

import json
import os
import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic import response as answer

from bearward import TrustedIssuer, Verifier
from bearward_sanic import authenticated, install, public

OPTIONS: dict[str, Any] = json.loads(os.environ["BEARWARD_TEST_OPTIONS"])


def make_app() -> Any:
    """The application, made again in every process."""
    app: Any = Sanic("workers")
    app.config.AUTO_EXTEND = OPTIONS["ext"]
    app.config.update(OPTIONS.get("config", {}))
    issuer = TrustedIssuer(OPTIONS["issuer"], audience=OPTIONS["audience"])
    install(
        app,
        Verifier(issuer, jwks_cache=OPTIONS["cache"], jwks_cache_secret=b"a secret of the test"),
        default=authenticated,
    )

    @app.get("/who")
    async def who(request: Request) -> HTTPResponse:
        return answer.json({"worker": app.m.name, "subject": request.ctx.principal.subject})

    @app.get("/state")
    @public
    async def state(request: Request) -> HTTPResponse:
        return answer.json(
            [one["bearward"] for one in app.m.workers.values() if "bearward" in one and one["state"] == "ACKED"]
        )

    @app.after_server_start
    async def ready(app: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    if OPTIONS.get("wrong"):
        app.add_route(who, "/wrong", name="wrong", ctx_auth="wrong")
    return app


if __name__ == "__main__":
    from sanic.worker.loader import AppLoader

    loader = AppLoader(factory=make_app)
    served = loader.load()
    served.prepare(host="127.0.0.1", port=OPTIONS["port"], workers=OPTIONS["workers"], motd=False, access_log=False)
    Sanic.serve(primary=served, app_loader=loader)
