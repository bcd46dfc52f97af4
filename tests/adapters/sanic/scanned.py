"""A server that scans when a test says so, and whose handlers wait until a test lets them go on.

Rule of this file: the test makes the interval between two scans longer than it takes.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import Revocations, TrustedIssuer, Verifier
from bearward.events import Event, StreamEnded, only
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, public
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

ISSUER = "https://login.example"
Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]


class Scanned:
    """The server, with settings of `install`."""

    def __init__(self, **settings: Any) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)
        self.revocations = Revocations()
        self.heard: list[Event] = []
        self.began, self.go_on, self.cancelled, self.cleaned_up = (threading.Event() for _ in range(4))
        self.request: Any = None
        self.responses: dict[str, Any] = {}
        """Those that are under way, by the token's identifier."""
        app = make_app("scans")
        app.get("/slow", name="slow", ctx_auth=authenticated)(self._slow)  # whose body Sanic leaves alone
        app.add_route(self._slow, "/open", name="open", ctx_auth=public)
        app.add_route(self._lines, "/lines", name="lines", ctx_auth=authenticated)
        app.add_route(
            self._uploading(), "/upload", methods=["POST"], name="upload", stream=True, ctx_auth=authenticated
        )
        policy = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        observers = [only(self.heard.append, StreamEnded)]
        self.verifier = Verifier(policy, revocations=self.revocations, observers=observers)
        self._guard = install(app, self.verifier, **settings)
        self.server = Serving(app)

    def scan(self, times: int = 1) -> int:
        """Scan so often at once, then let the server do what follows; how many ends of streams that began."""

        async def scan() -> int:
            live: Any = self._guard._live
            for _ in range(times):
                live._scan()
            names = [task.get_name() for task in asyncio.all_tasks()]
            for _ in range(20):
                await asyncio.sleep(0)
            return names.count("bearward: end of a stream")

        return asyncio.run_coroutine_threadsafe(scan(), self.server._loop).result(30)

    def told(self) -> list[tuple[str, str, str | None]]:
        """Of each end that observers were told of: the reason, the issuer and the route."""
        return [(e.code, e.issuer, e.operation) for e in self.heard if isinstance(e, StreamEnded)]

    def end(self, token_id: str) -> None:
        """Revoke a token, and scan until what can be ended because of it has been."""
        self.revocations.revoke_token(ISSUER, token_id, until=4e9)
        self.scan()
        self.scan()

    def begin(
        self, path: str, token_id: str | None, connection: http.client.HTTPConnection | None = None
    ) -> http.client.HTTPConnection:
        """A request, whose handler runs and whose response is read later; of an upload one chunk has come."""
        self.began.clear()
        self.go_on.clear()
        kept = connection or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        kept.putrequest("POST" if path == "/upload" else "GET", path)
        if token_id is not None:
            kept.putheader("Authorization", f"Bearer {self.issuer.mint(jti=token_id)}")
        if path == "/upload":
            kept.putheader("Transfer-Encoding", "chunked")
        kept.endheaders(b"4\r\nfour\r\n" if path == "/upload" else None)
        assert self.began.wait(30)
        return kept

    def finish(self, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        """Let the handlers go on; the response."""
        self.go_on.set()
        return response_of(connection)

    async def _until_let_go(self) -> None:
        while not self.go_on.is_set():  # noqa: ASYNC110  (set by the test's thread)
            await asyncio.sleep(0.01)

    async def _wait(self, request: Request) -> None:
        self.request = request
        self.began.set()
        try:
            await self._until_let_go()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _slow(self, request: Request) -> HTTPResponse:
        await self._wait(request)
        return text("done")

    async def _lines(self, request: Request) -> None:
        response: Any = await request.respond(content_type="text/plain")
        self.responses[request.ctx.principal.token_id] = response
        await response.send("line\n")
        await self._wait(request)

    def _uploading(self) -> Handler:
        async def upload(request: Request) -> HTTPResponse:
            stream: Any = request.stream
            try:
                async for _ in stream:
                    self.began.set()
                await self._wait(request)
            except asyncio.CancelledError:
                self.cancelled.set()
                await self._until_let_go()  # as what is undone in a database may take a while
                self.cleaned_up.set()
                raise
            return text("taken")

        return upload


def response_of(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """The status and body of the response on a connection."""
    response = connection.getresponse()
    return response.status, response.read()
