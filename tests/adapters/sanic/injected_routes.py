"""Handlers that ask sanic-ext for their caller."""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Some of Sanic's decorators have no types.

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import json
from sanic.views import HTTPMethodView
from sanic_ext import Extend

from bearward import Principal
from bearward_sanic import optional, public


class Costly:
    """A dependency of the user's, which counts how often it was made."""

    made = 0

    @classmethod
    async def make(cls, request: Request) -> Costly:
        cls.made += 1
        return cls()


def add_injected_routes(app: Any) -> None:
    """Routes with parameters to inject; call before `install`."""

    @app.get("/injected")
    async def injected(request: Request, principal: Principal, costly: Costly) -> HTTPResponse:
        return json({"subject": principal.subject})

    @app.get("/injected-optional")
    @optional
    async def injected_optional(request: Request, principal: Principal | None) -> HTTPResponse:
        return json({"subject": principal and principal.subject})

    @app.get("/injected-public")
    @public
    async def injected_public(request: Request, principal: Principal) -> HTTPResponse:
        return json({"subject": principal.subject})

    @app.get("/made")
    @public
    async def made(request: Request) -> HTTPResponse:
        return json(Costly.made)

    class InjectedView(HTTPMethodView, attach=app, uri="/injected-view"):
        async def get(self, request: Request, principal: Principal) -> HTTPResponse:
            return json({"subject": principal.subject})

    @app.websocket("/injected-ws")
    async def injected_ws(request: Request, ws: Any, principal: Principal) -> None:
        await ws.send(str(principal.subject))

    if not app.config.AUTO_EXTEND:
        Extend(app)

    @app.before_server_start
    async def dependencies(app: Any) -> None:
        app.ext.add_dependency(Costly, Costly.make)
