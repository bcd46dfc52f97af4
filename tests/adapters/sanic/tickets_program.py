"""Run as a program: the sockets of `test_socket_tickets.py` behind an ASGI server. It prints its port once it serves.

python -m tests.adapters.sanic.tickets_program uvicorn '{"issuer": ..., "audience": ..., "jwks": ...}'
"""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import sys
from typing import Any

from sanic import Request, Sanic

from bearward import TrustedIssuer, Verifier, scope
from bearward.dpop import DPoP
from bearward_sanic import SocketTickets, add_ticket_route, authenticated, install, requires
from tests.adapters.sanic.serving import PR_SET_PDEATHSIG, by_hypercorn, by_uvicorn

ORIGIN = "https://api.example"
SECRET = b"0123456789abcdef"


def add_room(app: Sanic[Any, Any]) -> None:
    """A socket for each room, for which callers with the scope get tickets; `app` has tickets already."""

    @app.websocket("/rooms/<room>")
    @authenticated
    async def join(request: Request, ws: Any, room: str) -> None:
        await ws.send(f"{request.ctx.principal.subject} in {room} by {request.ctx.principal.proof}")
        async for message in ws:
            await ws.send(message)

    add_ticket_route(app, "/rooms/<room>", requires(scope("chat")))


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    server, trusted = sys.argv[1], json.loads(sys.argv[2])
    app: Sanic[Any, Any] = Sanic("tickets", configure_logging=False)
    install(app, Verifier(TrustedIssuer(**trusted), dpop=DPoP(origins=ORIGIN)), socket_tickets=SocketTickets(SECRET))
    add_room(app)
    listener = socket.create_server(("127.0.0.1", 0))  # for the server to close

    async def ready(_: Any) -> None:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()

    app.after_server_start(ready, priority=-2_000_000)
    {"uvicorn": by_uvicorn, "hypercorn": by_hypercorn}[server](app, listener, {})


if __name__ == "__main__":
    main()
