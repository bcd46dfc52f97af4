"""One-time tickets: a proven POST opens one websocket, on whichever server of the fleet it is redeemed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, Self, cast

import httpx2
import pytest
from sanic import Request
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bearward import ConfigurationError, Revocations, TrustedIssuer, Verifier
from bearward.dpop import DPoP, LocalReplays, SharedReplays
from bearward.jose.base64url import decode
from bearward.testing import DPoPClient, LocalIssuer, MovableClock
from bearward_sanic import (
    SocketTickets,
    add_ticket_route,
    authenticated,
    deny,
    install,
    optional,
    public,
)
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.tickets_program import ORIGIN, SECRET, add_room
from tests.core.jwks.cache_servers import Valkey

ROOM = "/rooms/7"
ISSUER = LocalIssuer(algorithms=["ES256"])
CLIENT = DPoPClient()


def verifier_of(*, dpop: DPoP | None = None, **options: Any) -> Verifier:
    """One server's verifier, which offers DPoP."""
    trusted = TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks={"keys": [ISSUER.key().public_jwk()]})
    return Verifier(trusted, dpop=dpop or DPoP(origins=ORIGIN), **options)


@contextmanager
def serving(verifier: Verifier, tickets: SocketTickets | None = None) -> Iterator[Serving]:
    """A server with a socket for each room, for which callers with the scope get tickets."""
    app = make_app()
    install(app, verifier, socket_tickets=tickets or SocketTickets(SECRET))
    add_room(app)
    with Serving(app) as server:
        yield server


class ServingByASGI:
    """The same behind an ASGI server, in a process of its own."""

    def __init__(self, server: str) -> None:
        trusted = {"issuer": ISSUER.url, "audience": ISSUER.audience, "jwks": {"keys": [ISSUER.key().public_jwk()]}}
        command = [sys.executable, "-m", "tests.adapters.sanic.tickets_program", server, json.dumps(trusted)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = 0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.wait(30) in (0, -signal.SIGTERM)


class Listening(Protocol):
    """A server of either sort."""

    port: int


def mint(**options: Any) -> str:
    """A token of ada's, bound to the client's key unless `cnf` says otherwise."""
    return ISSUER.mint(sub="ada", **{"cnf": CLIENT.cnf, "scope": "chat", **options})


def ask(server: Listening, token: str, *, path: str = ROOM, **fields: str) -> httpx2.Response:
    """Ask for a ticket, with a proof."""
    proof = CLIENT.proof("POST", ORIGIN + path, token=token)
    headers = {"authorization": f"DPoP {token}", "dpop": proof, **fields}
    return httpx2.post(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=30)


def ticket_of(server: Listening, token: str | None = None, **options: Any) -> str:
    """A ticket for the room."""
    answer = ask(server, mint() if token is None else token, **options)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


def open_socket(server: Listening, *offered: str, path: str = ROOM, **fields: str) -> Any:
    """A socket whose handshake offers these subprotocols."""
    url = f"ws://127.0.0.1:{server.port}{path}"
    return connect(url, subprotocols=cast("Any", offered or None), additional_headers=fields, open_timeout=30)


def greeting(server: Listening, ticket: str, **fields: str) -> str:
    """What a socket says first that is opened with a ticket."""
    with open_socket(server, "bearward-ticket", ticket, **fields) as ws:
        assert ws.subprotocol == "bearward-ticket"
        return str(ws.recv(30))


def refused(server: Listening, *offered: str, **options: Any) -> tuple[int, str]:
    """Status and code of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        open_socket(server, *offered, **options)
    response = caught.value.response
    return response.status_code, json.loads(response.body or b"{}")["code"]


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    """One server, where it makes no difference which."""
    with serving(verifier_of()) as one:
        yield one


def test_ticket_opens_one_socket_in_the_whole_fleet(valkey: Valkey) -> None:
    """Issued by one server, it opens one socket at another, whose caller is proven as the POST was; and then no more."""
    with ExitStack() as stack:
        memories = [SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=SECRET) for _ in range(2)]
        fleet = [stack.enter_context(serving(verifier_of(replays=memory))) for memory in memories]
        for here, there in (fleet, fleet[::-1]):
            ticket = ticket_of(here)
            assert greeting(there, ticket) == f"ada in 7 by dpop {CLIENT.jkt}"
            for one in (here, there):
                assert refused(one, "bearward-ticket", ticket) == (401, "ticket_invalid")
        ticket = ticket_of(fleet[0])
        valkey.stop()
        assert refused(fleet[1], "bearward-ticket", ticket) == (503, "dpop_unavailable")


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn"])
def test_ticket_opens_a_socket_behind_an_asgi_server(name: str) -> None:
    """Once, as behind Sanic's own server, and for the same path and caller."""
    with ServingByASGI(name) as server:
        ticket = ticket_of(server)
        assert refused(server, "bearward-ticket", ticket, path="/rooms/8") == (401, "ticket_invalid")
        assert greeting(server, ticket) == f"ada in 7 by dpop {CLIENT.jkt}"
        assert refused(server, "bearward-ticket", ticket) == (401, "ticket_invalid")
        assert refused(server, "bearward-ticket", mint()) == (401, "ticket_invalid")


def test_fleet_without_dpop_shares_a_memory_of_its_own(valkey: Valkey) -> None:
    """Bearer tokens get tickets too; `replays` makes those valid once in the fleet."""
    with ExitStack() as stack:
        trusted = TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks={"keys": [ISSUER.key().public_jwk()]})
        fleet = []
        for _ in range(2):
            memory = SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=SECRET)
            fleet.append(stack.enter_context(serving(Verifier(trusted), SocketTickets(SECRET, replays=memory))))
        headers = {"authorization": f"Bearer {ISSUER.mint(sub='ada', scope='chat')}"}
        answer = httpx2.post(f"http://127.0.0.1:{fleet[0].port}{ROOM}", headers=headers, timeout=30)
        assert greeting(fleet[1], answer.json()["ticket"]) == "ada in 7 by bearer"
        assert refused(fleet[0], "bearward-ticket", answer.json()["ticket"]) == (401, "ticket_invalid")


def test_ticket_is_for_one_path_and_one_origin(server: Serving) -> None:
    """A ticket that leaks opens neither another room nor a socket of another page."""
    page = {"origin": "https://app.example"}
    ticket = ticket_of(server, **page)
    for options in ({}, {"origin": "https://elsewhere.example"}, {"path": "/rooms/8", **page}):
        assert refused(server, "bearward-ticket", ticket, **options) == (401, "ticket_invalid")
    assert greeting(server, ticket, **page).startswith("ada in 7")
    assert refused(server, "bearward-ticket", ticket_of(server), **page) == (401, "ticket_invalid")


def test_anything_but_one_ticket_is_refused(server: Listening) -> None:
    """What is not a ticket of this fleet; and a ticket beside any other credential, which uses up nothing."""
    ticket, token = ticket_of(server), mint()
    proof = CLIENT.proof("GET", ORIGIN + ROOM, token=token)
    with serving(verifier_of(), SocketTickets(b"another secret of 16")) as stranger:
        foreign = ticket_of(stranger)
    changed = ("A" if ticket[30] == "B" else "B").join((ticket[:30], ticket[31:]))
    for wrong in ("nonsense", "A" * 60, changed, ticket[:-4], ticket + "AAAA", token, foreign):
        assert refused(server, "bearward-ticket", wrong) == (401, "ticket_invalid")
    assert refused(server, "bearward-ticket") == (401, "ticket_invalid")
    for beside in (
        ("bearward-ticket", ticket),
        ("bearer", token),
        ("dpop", token, proof),
    ):
        assert refused(server, "bearward-ticket", ticket, *beside) == (400, "credentials_repeated")
    for scheme in ("Bearer", "DPoP"):
        fields = {"authorization": f"{scheme} {token}", "dpop": proof}
        assert refused(server, "bearward-ticket", ticket, **fields) == (400, "credentials_repeated")
    assert greeting(server, ticket).startswith("ada")


def test_sockets_open_by_tokens_beside_tickets(server: Serving) -> None:
    """Where tickets are enabled, a token opens a socket as before: by the fields, and as a subprotocol."""
    token = ISSUER.mint(sub="ada")
    with open_socket(server, authorization=f"Bearer {token}") as ws:
        assert ws.recv(30) == "ada in 7 by bearer"
    with open_socket(server, "bearer", token) as ws:
        assert ws.recv(30) == "ada in 7 by bearer"
    assert refused(server, "chat") == (401, "credentials_missing")


def test_ticket_costs_a_proven_request_that_the_rule_admits(server: Serving) -> None:
    """The POST is refused like any other: without credentials, without proof, without the scope."""
    url, token = f"http://127.0.0.1:{server.port}{ROOM}", mint()
    for headers, status in (
        ({}, 401),
        ({"authorization": f"Bearer {token}"}, 401),
        ({"authorization": f"DPoP {token}"}, 401),
        ({"authorization": f"Bearer {ISSUER.mint(sub='ada')}"}, 403),
    ):
        assert httpx2.post(url, headers=headers, timeout=30).status_code == status
    answer = ask(server, token)
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["expires_in"], answer.json()["subprotocol"]) == (30, "bearward-ticket")
    assert token.encode() not in decode(answer.json()["ticket"])  # whoever sees the handshake does not see the token


def test_ticket_expires_and_its_token_is_verified_again() -> None:
    """After 30 seconds it is worth nothing; nor is it once its token has expired or was revoked."""
    clock, revocations = MovableClock(), Revocations()
    with serving(verifier_of(clock=clock, revocations=revocations)) as server:
        ticket, short, bad = (ticket_of(server, mint(**more)) for more in ({}, {"exp": clock.now() + 10}, {"jti": "x"}))
        revocations.revoke_token(ISSUER.url, "x", until=clock.now() + 60)
        clock.advance(11)
        assert refused(server, "bearward-ticket", short) == (401, "token_expired")
        assert refused(server, "bearward-ticket", bad) == (401, "token_revoked")
        clock.advance(19)
        assert refused(server, "bearward-ticket", ticket) == (401, "ticket_invalid")


def test_socket_ends_with_the_token_of_its_ticket() -> None:
    """It is closed as one whose handshake carried the token: when that is revoked, and when it expires."""
    clock, revocations = MovableClock(), Revocations()
    with serving(verifier_of(clock=clock, revocations=revocations)) as server:
        ends: list[tuple[str, Callable[[], None], str]] = [
            ("x", lambda: revocations.revoke_token(ISSUER.url, "x", until=clock.now() + 60), "token_revoked"),
            ("y", lambda: clock.advance(61), "token_expired"),
        ]
        for jti, end, code in ends:
            ticket = ticket_of(server, mint(jti=jti, exp=clock.now() + 60))
            with open_socket(server, "bearward-ticket", ticket) as ws:
                ws.recv(30)
                end()
                with pytest.raises(ConnectionClosed) as closed:
                    ws.recv(30)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, code)


def test_server_without_tickets_takes_none() -> None:
    """Where they are not enabled, a ticket is no credential."""
    app = make_app()
    install(app, verifier_of())
    app.add_websocket_route(authenticated(_silent), ROOM)
    with serving(verifier_of()) as other, Serving(app) as server:
        assert refused(server, "bearward-ticket", ticket_of(other)) == (401, "credentials_missing")


@pytest.mark.parametrize("rule", [public, optional, deny])
def test_rule_of_tickets_must_ask_for_a_token(rule: Any) -> None:
    """A ticket is of a caller; nobody has none."""
    app = make_app()
    install(app, verifier_of(), socket_tickets=SocketTickets(SECRET))
    with pytest.raises(ConfigurationError, match="rule"):
        add_ticket_route(app, ROOM, rule)


def test_invalid_settings_are_refused() -> None:
    """A short secret, a life of an hour, a memory that is none; and a route without the setting."""
    for make, setting in (
        (lambda: SocketTickets(b"short"), "secret"),
        (lambda: SocketTickets(SECRET, lifetime=3600), "lifetime"),
        (lambda: SocketTickets(SECRET, replays=cast("Any", "redis://")), "replays"),
        (lambda: install(make_app(), verifier_of(), socket_tickets=SECRET), "socket_tickets"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert caught.value.setting == setting
    assert "0123" not in repr(SocketTickets(SECRET, replays=LocalReplays()))
    app = make_app()
    install(app, verifier_of())
    with pytest.raises(ConfigurationError, match="socket_tickets"):
        add_ticket_route(app, ROOM, authenticated)


async def _silent(_: Request, ws: Any) -> None:
    await ws.recv()
