"""Routes that issue tickets: what they are called, and where they find the token of whom they issue one to."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bearward import CredentialPlace, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import SocketTickets, add_ticket_route, authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE
from tests.adapters.sanic.tickets_program import SECRET, add_room

ISSUER = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")
ROOM = "/rooms/7"


def _verifier(place: CredentialPlace | None = None) -> Verifier:
    keys = ISSUER.keys.jwks()
    return Verifier(TrustedIssuer(ISSUER.url, audience=AUDIENCE, jwks=keys, place=place))


def test_ticket_is_for_a_token_in_its_issuers_own_place() -> None:
    """A token that the POST brings elsewhere than in `Authorization` opens one socket, and no token opens none."""
    app = make_app("places")
    install(app, _verifier(CredentialPlace(header="X-Asserted")), socket_tickets=SocketTickets(SECRET))
    add_room(app)
    with Serving(app) as server:
        asserted = {"x-asserted": ISSUER.mint(sub="ada", scope="chat")}
        answer = server.call("POST", ROOM, headers=asserted)
        assert answer.status == 200
        offered = [Subprotocol("bearward-ticket"), Subprotocol(json.loads(answer.body)["ticket"])]
        url = f"ws://127.0.0.1:{server.port}{ROOM}"
        with connect(url, subprotocols=offered) as ws:
            assert ws.recv(30) == "ada in 7 by bearer"
        with pytest.raises(InvalidStatus):
            connect(url, subprotocols=offered)
        assert server.call("POST", ROOM).problem["code"] == "credentials_missing"


def test_each_ticket_route_has_a_name() -> None:
    """Its own, made of its path, unless it is given one."""
    app = make_app("named")
    install(app, _verifier(), socket_tickets=SocketTickets(SECRET))
    add_ticket_route(app, ROOM, authenticated)
    add_ticket_route(app, "/halls/<hall>", authenticated)
    add_ticket_route(app, "/yard", authenticated, name="yard_ticket")
    named = {route.name.removeprefix("named."): route.uri for route in app.router.routes}
    assert named == {"ticket_rooms_7": ROOM, "ticket_halls_hall_": "/halls/<hall:str>", "yard_ticket": "/yard"}
