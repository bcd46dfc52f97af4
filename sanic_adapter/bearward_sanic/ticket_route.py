"""The route that issues one-time tickets: a POST to a websocket's own URL.

Rules of this file: who may have a ticket is the rule's business, and the gate has seen to it before the handler runs.
A ticket is for the path and the `Origin` of the POST, so that one that leaks opens nothing else.
"""

from __future__ import annotations

import re

from sanic import HTTPResponse, Request
from sanic.response import json

from bearward import ConfigurationError
from bearward.access import Access, Kind, as_access
from bearward.credential_place import CredentialPlace
from bearward.credentials import SCHEMES, presented_token
from bearward.requirements import Requirement
from bearward_sanic.connection_memory import AUTHORIZATION, NONE
from bearward_sanic.context import App
from bearward_sanic.credentials import TICKET_SUBPROTOCOL, TokenReader, socket_place
from bearward_sanic.extension import Bearward, guard_of

__all__ = ["add_ticket_route"]


def add_ticket_route(app: App, uri: str, rule: Access | Requirement, *, name: str | None = None) -> None:
    """Issue tickets by POST at `uri`, which is that of a websocket, to callers that `rule` admits.

    The response is JSON: `ticket`, `expires_in` (seconds) and `subprotocol`. The client then opens the same URL with
    `Sec-WebSocket-Protocol: bearward-ticket, <ticket>`. `name` is the route's name. Raises `ConfigurationError` for an
    application without `socket_tickets`, and for a rule that admits anonymous callers.
    """
    guard = guard_of(app)
    access = as_access(rule, "rule")
    if guard.settings.socket_tickets is None:
        raise ConfigurationError("socket_tickets", "must be given to install(app, verifier, socket_tickets=...)")
    if access.kind is not Kind.REQUIRED:
        raise ConfigurationError("rule", "must ask for a token: authenticated, or requires(...)")

    @access
    async def issue(request: Request, **_: object) -> HTTPResponse:
        return _issued(guard, request)

    app.add_route(issue, uri, methods=["POST"], name=name or "ticket" + re.sub(r"\W+", "_", uri))


def _issued(guard: Bearward, request: Request) -> HTTPResponse:
    tickets = guard.settings.socket_tickets
    assert tickets is not None  # noqa: S101  (whoever adds the route has checked it)
    token, found = _token_of(guard, request)
    ticket = tickets.issue(token, found, place=socket_place(request), now=guard.verifier.now())
    document = {"ticket": ticket, "expires_in": tickets.lifetime, "subprotocol": TICKET_SUBPROTOCOL}
    return json(document, headers={"cache-control": "no-store"})


def _token_of(guard: Bearward, request: Request) -> tuple[str, CredentialPlace | None]:
    """The token by which the gate has admitted `request`, outside of a body, and its place; raises `AuthError`."""
    values = request.headers.getall(AUTHORIZATION, NONE)
    if values:
        return presented_token(values, SCHEMES, max_length=guard.settings.max_token_length)[1], None
    return TokenReader(guard.settings, guard.verifier.places).read(request, values, False)
