"""Handshakes of websockets under ASGI, message by message: how one is refused, and what it selects."""

from __future__ import annotations

import asyncio
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest
from sanic import Request
from sanic.models.asgi import MockTransport

from bearward import TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from bearward_sanic.websockets import refuse_handshake
from tests.adapters.sanic.in_process import make_app
from tests.adapters.sanic.servers import AUDIENCE

Message = dict[str, Any]
ISSUER = "https://login.example"
EXTENSION = "websocket.http.response"


class Parts:
    """An application with a socket, and the server that it believes to run on."""

    def __init__(self) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)
        self.app = make_app("handshakes")
        self.app.add_websocket_route(_greeting, "/ws", name="ws", ctx_auth=authenticated)
        policy = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        install(self.app, Verifier(policy))

    async def handshake(self, *subprotocols: str, **scope: Any) -> list[Message]:
        """What the application sends for a handshake, from its start to its stop; `scope` has what this server adds."""
        lifespan: asyncio.Queue[Message] = asyncio.Queue()
        lifespan.put_nowait({"type": "lifespan.startup"})
        started: asyncio.Queue[Message] = asyncio.Queue()
        serving = asyncio.create_task(self.app({"type": "lifespan"}, lifespan.get, started.put))
        assert (await started.get())["type"] == "lifespan.startup.complete"
        received: asyncio.Queue[Message] = asyncio.Queue()
        for kind in ("websocket.connect", "websocket.disconnect"):
            received.put_nowait({"type": kind, "code": 1000})
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        offered = [(b"sec-websocket-protocol", ", ".join(subprotocols).encode())] if subprotocols else []
        told = {"path": "/ws", "raw_path": b"/ws", "query_string": b"", "subprotocols": list(subprotocols)}
        await self.app({"type": "websocket", "headers": offered, **told, **scope}, received.get, send)
        lifespan.put_nowait({"type": "lifespan.shutdown"})
        await serving
        return sent


async def _greeting(request: Request, ws: Any) -> None:
    await ws.send("hello")


SCOPES: list[Message] = [{}, {"extensions": None}, {"extensions": {}}, {"extensions": {"tls": {}}}]
"""Of servers that have no way to answer a handshake."""
CLOSED: list[Message] = [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("scope", SCOPES, ids=repr)
def test_server_that_answers_no_handshake_closes_it(run: Any, scope: Message) -> None:
    """Without the ASGI extension for it a refusal is one close, and nothing else."""
    assert run(Parts().handshake(**scope)) == CLOSED


def test_server_that_answers_a_handshake_sends_the_refusal(run: Any) -> None:
    """With the extension it is a whole HTTP response."""
    sent = run(Parts().handshake(extensions={EXTENSION: {}}))
    assert [message["type"] for message in sent] == [f"{EXTENSION}.start", f"{EXTENSION}.body"]
    assert sent[0]["status"] == 401
    assert b"credentials_missing" in sent[1]["body"]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [*((scope, CLOSED) for scope in SCOPES), ({"extensions": {EXTENSION: {}}}, [{"type": f"{EXTENSION}.start"}])],
)
def test_handshake_that_is_refused_twice_is_refused_once(run: Any, scope: Message, expected: list[Message]) -> None:
    """What was translated is not translated again, where the way to a response fails and is gone once more."""

    async def scenario() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Any) -> None:
            sent.append(message)

        transport = MockTransport({"type": "websocket", **scope}, asyncio.Queue[Any]().get, send)
        request: Any = SimpleNamespace(transport=transport)
        refuse_handshake(request)
        refuse_handshake(request)
        await transport.send({"type": "http.response.start"})
        return sent

    assert run(scenario()) == expected


def test_subprotocol_is_answered_for_a_handler_that_somebody_wrapped(run: Any) -> None:
    """Whatever stands around Sanic's own handler: a browser fails a socket whose subprotocol was not answered."""
    parts = Parts()
    (route,) = parts.app.router.routes
    inner = route.handler

    @wraps(inner)
    async def around(*args: Any, **kwargs: Any) -> Any:
        return await inner(*args, **kwargs)

    route.handler = around
    sent = run(parts.handshake("bearer", parts.issuer.mint()))
    assert [(message["type"], message.get("subprotocol")) for message in sent] == [
        ("websocket.accept", "bearer"),
        ("websocket.send", None),
    ]
