"""For tests of applications: one that was built at import is judged by a test's own verifier, or without any issuer."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request, Sanic, Websocket
from sanic.response import text

from bearward import ConfigurationError, TrustedIssuer, UsageError, Verifier, scope
from bearward.testing import HOSTILE_TOKENS, LocalIssuer, MovableClock, acting_as, principal_with
from bearward_pytest import ActAs, CheckPolicy, Mint, UseVerifier
from bearward_sanic import authenticated, current_principal, install, optional, public, requires
from bearward_sanic.testing import policy_matrix, use_verifier
from tests.adapters.sanic.in_process import Serving, make_app
from tests.conftest import Run

# sanic-testing 24.6 imports what websockets 14 and newer call legacy; it is imported when it is used
pytestmark = pytest.mark.filterwarnings("ignore:websockets", "ignore:.*Passing the loop argument")

App = Sanic[Any, Any]
CLIENTS = ("test_client", "asgi_client", "reusable")


def _built_at_import() -> App:
    """An application whose issuer is out of reach, as a module of a service has it."""
    app: App = make_app("orders")
    install(app, Verifier(TrustedIssuer("https://login.example", audience="https://api.example")))

    @app.get("/orders")  # type: ignore[untyped-decorator,unused-ignore]
    @requires(scope("orders:read"))
    async def orders(request: Request) -> HTTPResponse:
        return text(str(request.ctx.principal.subject))

    @app.post("/orders")  # type: ignore[untyped-decorator,unused-ignore]
    @requires(scope("orders:write"))
    async def add(request: Request) -> HTTPResponse:
        return text("added")

    @app.get("/hello")  # type: ignore[untyped-decorator,unused-ignore]
    @optional
    async def hello(request: Request) -> HTTPResponse:
        who = current_principal()
        return text("stranger" if who is None else str(who.subject))

    @app.get("/health")  # type: ignore[untyped-decorator,unused-ignore]
    @public
    async def health(request: Request) -> HTTPResponse:
        return text("well")

    @app.get("/lines")  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def lines(request: Request) -> None:
        response = await request.respond(content_type="text/event-stream")
        await response.send("data: first\n\n")
        await _forever()

    @app.websocket("/feed")  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def feed(request: Request, socket: Websocket) -> None:
        await socket.send("first")
        await socket.recv()

    return app


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def app() -> Iterator[App]:
    """A fresh one, since a test that starts a server may leave its traces; in Sanic's register, as clients expect it."""
    app = _built_at_import()
    Sanic.register_app(app)
    yield app
    Sanic.unregister_app(app)


class Client:
    """One of the clients of sanic-testing, as a function from a request to status and text."""

    def __init__(self, kind: str, app: App, run: Run) -> None:
        self._kind, self._app, self._run = kind, app, run

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        """GET, with a token or without."""
        from sanic_testing.reusable import ReusableClient

        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if self._kind == "test_client":
            _, response = self._app.test_client.get(path, headers=headers)
        elif self._kind == "asgi_client":
            _, response = self._run(self._app.asgi_client.get(path, headers=headers))
        else:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            loop = asyncio.new_event_loop()  # it makes one by itself, and never closes it
            with ReusableClient(self._app, port=port, loop=loop) as client:
                _, response = client.get(path, headers=headers)
            loop.close()
        return response.status, response.text


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, app: App, run: Run) -> Client:
    """Each of the three."""
    return Client(request.param, app, run)


def test_app_built_at_import_trusts_the_issuer_of_a_test(
    client: Client, app: App, bearward_use_verifier: UseVerifier, bearward_token: Mint, bearward_issuer: LocalIssuer
) -> None:
    """Whatever it was installed with; hostile tokens of the same issuer are refused as they are in production."""
    bearward_use_verifier(app)
    assert client.get("/orders", bearward_token(sub="ada", scope="orders:read")) == (200, "ada")
    assert client.get("/orders", bearward_token(scope="other"))[0] == 403
    assert client.get("/orders", bearward_issuer.hostile("unsigned", scope="orders:read"))[0] == 401
    assert client.get("/orders")[0] == 401


def test_call_without_an_issuer_is_made_by_whom_the_test_says(client: Client, bearward_as: ActAs) -> None:
    """No token, no issuer, no verifier of one's own: the rules decide by the principal alone."""
    bearward_as(sub="ada", scope="orders:read")
    assert client.get("/orders") == (200, "ada")
    assert client.get("/hello") == (200, "ada")
    bearward_as(sub="eve")
    assert client.get("/orders")[0] == 403
    assert client.get("/health") == (200, "well")


def test_credentials_that_come_are_judged_while_a_test_acts(app: App, run: Run, bearward_issuer: LocalIssuer) -> None:
    """A bad token beside `acting_as` is refused: the principal stands in for missing credentials, not for wrong ones."""
    client = Client("asgi_client", app, run)
    with use_verifier(app, bearward_issuer.verifier()), acting_as(scope="orders:read"):
        assert client.get("/orders", bearward_issuer.hostile("expired an hour ago"))[0] == 401
        assert client.get("/orders", "garbage")[0] == 401
    assert client.get("/hello") == (200, "stranger")


def test_verifier_is_back_after_the_block(app: App, bearward_issuer: LocalIssuer) -> None:
    """What the application was installed with is what it verifies by afterwards."""
    before = app.ctx.bearward.verifier
    with use_verifier(app, bearward_issuer.verifier()) as used:
        assert used.ctx.bearward.verifier is not before
    assert app.ctx.bearward.verifier is before


def test_verifier_of_a_running_server_is_not_replaced(app: App, bearward_issuer: LocalIssuer) -> None:
    """A server has decided by its verifier already; an application without a gate has none to replace."""
    with (
        Serving(app),
        pytest.raises(UsageError, match="before it starts"),
        use_verifier(app, bearward_issuer.verifier()),
    ):
        pass
    with pytest.raises(ConfigurationError), use_verifier(make_app("bare"), bearward_issuer.verifier()):
        pass


def test_moving_the_clock_ends_a_websocket(
    app: App, bearward_use_verifier: UseVerifier, bearward_token: Mint, bearward_clock: MovableClock
) -> None:
    """An open socket closes with 1008 when the test moves the clock beyond its token; nobody waits an hour."""
    bearward_use_verifier(app)

    async def mimic(socket: Any) -> None:
        assert await socket.recv() == "first"
        bearward_clock.advance(3600)
        await socket.recv()

    headers = {"authorization": f"Bearer {bearward_token(expires_in=600)}"}
    with pytest.raises(ValueError, match=r"code=1008, reason='token_expired'"):  # sanic-testing's wrapper
        app.test_client.websocket("/feed", mimic=mimic, extra_headers=headers)


@pytest.mark.parametrize("acting", [False, True], ids=["with a token", "acting"])
def test_moving_the_clock_ends_a_stream_of_events(
    app: App,
    acting: bool,
    bearward_use_verifier: UseVerifier,
    bearward_token: Mint,
    bearward_clock: MovableClock,
    bearward_as: ActAs,
) -> None:
    """Server-sent events end in the middle; those of a principal that a test set end at its `exp`, and not before."""
    bearward_use_verifier(app)
    if acting:
        bearward_as(sub="ada", exp=bearward_clock.now() + 600)
    headers = {} if acting else {"Authorization": f"Bearer {bearward_token(expires_in=600)}"}
    with Serving(app) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/lines", headers=headers)
        response = connection.getresponse()
        assert response.fp.readline()
        bearward_clock.advance(3600)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        connection.close()


def test_matrix_is_what_the_server_does(app: App, bearward_issuer: LocalIssuer) -> None:
    """Every cell of the table is the status that a real server responds with to such a caller."""
    matrix = policy_matrix(app)
    with use_verifier(app, bearward_issuer.verifier()), Serving(app) as server:
        for name in matrix.rules:
            kind, path, _ = name.split(" ")
            if kind == "WEBSOCKET" or path == "/lines":
                continue
            for caller, who in matrix.callers.items():
                claims = {} if who is None else who.to_dict()  # type: ignore[union-attr]
                token = None if who is None else bearward_issuer.mint(scope=claims.get("scope", ""))
                status = server.call(kind, path, token=token).status
                assert matrix.cell(name, caller) == ("ok" if status == 200 else str(status)), (name, caller)


def test_policy_is_the_approved_one(app: App, bearward_policy: CheckPolicy) -> None:
    """One line pins the policy; the table in `policies/` is what a reviewer reads."""
    bearward_policy(app)


def test_matrix_takes_callers_of_ones_own(app: App) -> None:
    """By name, in the order in which they are given."""
    matrix = policy_matrix(app, {"nobody": None, "clerk": principal_with(scope="orders:read orders:write")})
    assert [matrix.cell("POST /orders (orders.add)", name) for name in matrix.callers] == ["401", "ok"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Serving, LocalIssuer]]:
    """A server for the whole catalogue."""
    app = _built_at_import()
    with LocalIssuer(algorithms=["ES256"]) as issuer, use_verifier(app, issuer.verifier()), Serving(app) as server:
        yield server, issuer


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_hostile_token_is_refused_over_http(guarded: tuple[Serving, LocalIssuer], name: str) -> None:
    """Each of the catalogue, with the scope that would open the route."""
    server, issuer = guarded
    token = issuer.hostile(name, scope="orders:read")
    answer = server.call("GET", "/orders", token=token)
    assert answer.status in (400, 401)
    assert json.loads(answer.body)["code"] == HOSTILE_TOKENS[name].refusal.code
