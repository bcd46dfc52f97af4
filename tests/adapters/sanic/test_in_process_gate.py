"""The gate from within: places of a credential, bodies, and what an anonymous connection may hold."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import AuthError, Refusal, TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer, acting_as
from bearward_sanic import CookieCredentials, SocketTickets, authenticated, install, optional, public, requires
from bearward_sanic.connection_memory import ConnectionMemory
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE, Answer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
MEBIBYTE = 1024 * 1024


class Clock:
    """The machine's clock, which a test may set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds of whatever beginning."""
        return time.monotonic() + self.ahead


class Parts:
    """A server, its verifier, its issuer and its clock."""

    def __init__(self, **settings: Any) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")
        policy = TrustedIssuer(self.issuer.url, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        self.clock = Clock()
        self.verifier = Verifier(policy, clock=self.clock)  # type: ignore[arg-type,unused-ignore]
        app = make_app("gate")
        _add_routes(app)
        self.guard = install(app, self.verifier, **settings)
        self.server = Serving(app)

    def connection(self) -> http.client.HTTPConnection:
        """A connection to keep."""
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)


def _add_routes(app: Any) -> None:
    @app.route("/who", methods=["GET", "POST"])
    @authenticated
    async def who(request: Request) -> HTTPResponse:
        return text(f"{request.ctx.principal.subject} {len(request.body)}")

    @app.route("/maybe", methods=["GET", "POST"])
    @optional
    async def maybe(request: Request) -> HTTPResponse:
        return text(str(request.ctx.principal and request.ctx.principal.subject))

    @app.get("/scoped")
    @requires(scope("a"))
    async def scoped(request: Request) -> HTTPResponse:
        return text("SECRET")

    @app.websocket("/ws")
    @authenticated
    async def ws(request: Request, ws: Any) -> None:
        await ws.send(request.ctx.principal.subject)

    @app.websocket("/ws-public")
    @public
    async def ws_public(request: Request, ws: Any) -> None:
        await ws.send("open")


@pytest.fixture
def make() -> Iterator[Any]:
    """`make(form=True)`: served while the test runs."""
    made: list[Parts] = []

    def begin(**settings: Any) -> Parts:
        parts = Parts(**settings)
        parts.server.__enter__()
        made.append(parts)
        return parts

    yield begin
    for parts in made:
        parts.server.__exit__(None, None, None)
        parts.issuer.close()


def _code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.decode() if answer.status < 400 else answer.problem["code"]


def test_optional_with_a_form(make: Any) -> None:
    """On an optional route a form without a token is anonymous, one with a bad token is refused."""
    parts = make(form=True)
    call, token = parts.server.call, parts.issuer.mint(sub="ada")
    assert _code(call("POST", "/maybe", body="a=b", headers=FORM)) == (200, "None")
    assert _code(call("POST", "/maybe", body=f"access_token={token}", headers=FORM)) == (200, "ada")
    assert _code(call("POST", "/maybe", body="access_token=x", headers=FORM)) == (401, "token_malformed")
    assert _code(call("GET", "/maybe")) == (200, "None")
    assert _code(call("GET", "/maybe", headers={"Authorization": "Bearer"})) == (400, "credentials_malformed")


def test_stand_in_of_a_test_sends_a_form_without_a_token(make: Any) -> None:
    """Whoever a test acts as is the caller of an optional route, also where a body had to be read to know that."""
    parts = make(form=True)
    with acting_as(sub="ada"):
        assert _code(parts.server.call("POST", "/maybe", body="a=b", headers=FORM)) == (200, "ada")
        assert _code(parts.server.call("POST", "/who", body="a=b", headers=FORM)) == (200, "ada 3")
        assert _code(parts.server.call("POST", "/maybe", body="access_token=x", headers=FORM))[0] == 401
    assert _code(parts.server.call("POST", "/maybe", body="a=b", headers=FORM)) == (200, "None")


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"query": True}, lambda token: {"path": f"/who?access_token={token}"}),
        ({"cookie": CookieCredentials(name="token", origins=("https://app.example",))}, None),
        ({"form": True}, lambda token: {"method": "POST", "body": f"access_token={token}", "headers": FORM}),
    ],
)
def test_second_credential_is_refused_on_a_kept_connection(make: Any, settings: Any, more: Any) -> None:
    """However often the header came alone on a connection, a second credential beside it is one too many."""
    parts = make(**settings)
    connection, token = parts.connection(), parts.issuer.mint(sub="ada")
    second = more(token) if more else {"headers": {"Cookie": f"token={token}"}}
    for asked in [*[{}] * 4, second, {}, second]:
        headers = {"Authorization": f"Bearer {token}", **asked.get("headers", {})}
        path = asked.get("path", "/who")
        connection.request(asked.get("method", "GET"), path, body=asked.get("body"), headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == (400 if asked else 200)
    connection.close()


def test_second_credential_is_refused_on_a_websocket(make: Any) -> None:
    """A connection that is known by its header may not bring another token as a subprotocol."""
    parts = make()
    connection, token = parts.connection(), parts.issuer.mint(sub="ada")
    for _ in range(4):
        connection.request("GET", "/who", headers={"Authorization": f"Bearer {token}"})
        assert connection.getresponse().read() == b"ada 0"
    offered = {**HANDSHAKE, "Sec-WebSocket-Protocol": f"bearer, {token}", "Authorization": f"Bearer {token}"}
    connection.request("GET", "/ws", headers=offered)
    assert connection.getresponse().status == 400
    connection.close()


def test_recent_refusal_applies_to_its_own_token_only(make: Any) -> None:
    """A refusal is repeated to the same token on the same connection for a second, and to no other."""
    parts = make()
    connection, good = parts.connection(), parts.issuer.mint(sub="ada")
    forged = good[:-8] + "AAAAAAAA"

    def ask(token: str) -> int:
        connection.request("GET", "/who", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        status: int = response.status
        return status

    assert [ask(forged), ask(forged), ask(good), ask(forged), ask(good), ask(good)] == [401, 401, 200, 401, 200, 200]
    connection.close()


def test_recent_refusal_expires_after_one_second(make: Any) -> None:
    """A token that was refused as expired is good again once the clock was put right, at most a second later."""
    parts = make()
    connection, token = parts.connection(), parts.issuer.mint(sub="ada", expires_in=300)

    def ask() -> int:
        connection.request("GET", "/who", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        status: int = response.status
        return status

    parts.clock.ahead = 1000.0
    assert [ask(), ask(), ask()] == [401, 401, 401]
    parts.clock.ahead = 0.0
    assert ask() == 200
    connection.close()


def test_remembered_token_expires(make: Any) -> None:
    """A token that a connection remembers is refused from the moment of its end, and is not yet valid before its time."""
    parts = make()
    connection, token = parts.connection(), parts.issuer.mint(sub="ada", expires_in=300)

    def ask() -> tuple[int, bytes]:
        connection.request("GET", "/who", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()

    assert [ask()[0] for _ in range(4)] == [200] * 4
    parts.clock.ahead = 301.0
    status, body = ask()
    assert (status, b"token_expired" in body) == (401, True)
    connection.close()


def test_body_is_read_before_the_handler_on_a_remembered_connection(make: Any) -> None:
    """The fast path is for requests without a body: one with a body is read first, on the same connection."""
    parts = make()
    connection, token = parts.connection(), parts.issuer.mint(sub="ada")
    for body in [None] * 4 + [b"four", None, b"x" * 100_000]:
        method = "GET" if body is None else "POST"
        connection.request(method, "/who", body=body, headers={"Authorization": f"Bearer {token}"})
        assert connection.getresponse().read() == f"ada {len(body or b'')}".encode()
    connection.close()


@pytest.mark.parametrize("path", ["/ws", "/ws-public"])
def test_handshake_body_is_not_held_in_memory(make: Any, path: str) -> None:
    """RFC 6455: a handshake is a GET without a body. A long one is refused, whoever sends it, and never held."""
    parts = make()
    token = parts.issuer.mint()
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Content-Length: {64 * MEBIBYTE}"]
    lines += [f"{name}: {value}" for name, value in HANDSHAKE.items()]
    with parts.server.raw() as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("head", ["Content-Length: 100000000\r\n", "Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("path", ["/who", "/ws", "/scoped", "/nowhere"])
def test_anonymous_bodies_are_never_read(make: Any, path: str, head: str) -> None:
    """Without a token neither a declared nor an endless body is asked for, on websocket routes as on any."""
    parts = make()
    lines = f"GET {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{head}\r\n"
    with parts.server.raw() as connection:
        connection.sendall(lines.encode())
        received = connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in received.lower()


def test_preflights_and_unknown_routes(make: Any) -> None:
    """An unknown route is a 401 to an anonymous caller and a 404 to a verified one; so is an unanswered preflight."""
    parts = make()
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert parts.server.call("GET", "/nowhere").status == 401
    assert parts.server.call("GET", "/nowhere", token=parts.issuer.mint()).status == 404
    assert parts.server.call("OPTIONS", "/nowhere", headers=preflight).status == 401
    assert parts.server.call("GET", "/scoped").challenge == 'Bearer realm="api"'


def test_token_as_subprotocol_opens_a_websocket(make: Any) -> None:
    """A handshake without `Authorization` may bring its token as the subprotocol after `bearer`."""
    parts = make()
    offered = {**HANDSHAKE, "Sec-WebSocket-Protocol": f"bearer, {parts.issuer.mint()}"}
    answer = parts.server.call("GET", "/ws", headers=offered)
    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "bearer")
    assert parts.server.call("GET", "/ws", headers=HANDSHAKE).status == 401


def test_long_anonymous_form_is_refused_unread(make: Any) -> None:
    """An anonymous form of more than 64 KiB is refused without being read, whatever it would have held."""
    parts = make(form=True)
    lines = f"POST /who HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: 70000\r\n\r\n"
    with parts.server.raw() as connection:
        connection.sendall(lines.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


PLACES: dict[str, Any] = {
    "query": True,
    "form": True,
    "cookie": CookieCredentials(name="token", origins=("https://app.example",)),
    "socket_tickets": SocketTickets(b"0123456789abcdef"),
}


@pytest.mark.parametrize("enabled", [None, *PLACES])
def test_places_that_were_not_opted_into_hold_no_credential(make: Any, enabled: str | None) -> None:
    """Whichever other place was: a token in the query, in a form, in a cookie, or in a subprotocol of a plain request."""
    parts = make(**({} if enabled is None else {enabled: PLACES[enabled]}))
    call, token = parts.server.call, parts.issuer.mint(sub="ada")
    in_cookie = {"Cookie": f"token={token}"}
    offers = [{"Sec-WebSocket-Protocol": f"{name}, {token}"} for name in ("bearer", "bearward-ticket", "dpop")]
    asked: dict[str, list[Answer]] = {
        "query": [call("GET", f"{path}?access_token={token}", headers=HANDSHAKE) for path in ("/who", "/ws")],
        "form": [call("POST", "/who", body=f"access_token={token}", headers=FORM)],
        "cookie": [call("GET", path, headers=HANDSHAKE | in_cookie) for path in ("/who", "/ws")],
        "socket_tickets": [call("GET", "/ws", headers=HANDSHAKE | offers[1])],
        "plain": [call("GET", "/who", headers=offer) for offer in offers],
    }
    for place, answers in asked.items():
        for answer in answers:
            assert (_code(answer) == (401, "credentials_missing")) is (place != enabled)


def test_subprotocols_of_a_plain_request_hold_no_credential_beside_other_places(make: Any) -> None:
    """Where tokens may be in the query and tickets are enabled, only a handshake offers them as subprotocols."""
    parts = make(query=True, socket_tickets=PLACES["socket_tickets"])
    for name in ("bearer", "bearward-ticket"):
        offer = {"Sec-WebSocket-Protocol": f"{name}, {parts.issuer.mint()}"}
        assert _code(parts.server.call("GET", "/who", headers=offer)) == (401, "credentials_missing")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("access_token=TOKEN" + "&" * 999, (200, "ada 0")),
        ("access_token=TOKEN" + "&" * 1000, (400, "credentials_malformed")),
        ("NAME=TOKEN", (200, "ada 0")),
        ("access_token=TOKEN&NAME=TOKEN", (400, "credentials_repeated")),
        ("access_token=" + "%41" * 2048, (401, "token_malformed")),
        ("access_token=" + "%41" * 2049, (400, "credentials_malformed")),
        ("access_token=TOKEN&" + "%41" * 2049, (200, "ada 0")),
        ("xaccess_token=TOKEN", (401, "credentials_missing")),
    ],
    ids=[
        "1000 fields",
        "1001 fields",
        "encoded name",
        "both names",
        "2048 triplets",
        "2049 triplets",
        "a long name",
        "another name",
    ],
)
def test_parameter_is_found_within_its_bounds(make: Any, query: str, expected: tuple[int, str]) -> None:
    """However its name is encoded, among 1000 fields and with 2048 percent-encoded octets; what is longer is refused."""
    parts = make(query=True)
    encoded = "".join(f"%{ord(character):02x}" for character in "access_token")
    query = query.replace("NAME", encoded).replace("TOKEN", parts.issuer.mint(sub="ada"))
    assert _code(parts.server.call("GET", f"/who?{query}")) == expected


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded", 400),
        ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", 400),
        ("text/plain", 200),
        ("application/json", 200),
        ("", 200),
    ],
)
def test_body_is_a_second_credential_only_if_it_is_a_form(make: Any, content_type: str, status: int) -> None:
    """RFC 6750 section 2.2: what stands in another sort of body is the handler's, whatever it looks like."""
    parts = make(form=True)
    headers, body = {"Content-Type": content_type}, "access_token=x"
    assert parts.server.call("POST", "/who", body=body, headers=headers, token=parts.issuer.mint()).status == status


@pytest.mark.parametrize(("length", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 401)])
def test_form_of_64_kib_may_hold_the_token(make: Any, length: int, status: int) -> None:
    """A form of exactly 64 KiB is read to look for a token, and one octet more is not."""
    parts = make(form=True)
    body = f"access_token={parts.issuer.mint(sub='ada')}&text=".ljust(length, "x")
    assert parts.server.call("POST", "/who", body=body, headers=FORM).status == status


def test_form_of_an_undeclared_length_is_not_read_for_a_token(make: Any) -> None:
    """A chunked form may be endless: without another credential it is refused like any request without one."""
    parts = make(form=True)
    body = [f"access_token={parts.issuer.mint()}".encode()]
    assert _code(parts.server.call("POST", "/who", body=iter(body), headers=FORM)) == (401, "credentials_missing")


@pytest.mark.parametrize(
    ("refusal", "repeated"),
    [
        (Refusal.SIGNATURE_INVALID, True),
        (Refusal.TOKEN_EXPIRED, True),
        (Refusal.TOKEN_NOT_YET_VALID, False),
        (Refusal.KEYS_UNAVAILABLE, False),
        (Refusal.TOKEN_SENDER_CONSTRAINED, False),
    ],
)
def test_stable_refusal_is_repeated_for_a_second(refusal: Refusal, repeated: bool) -> None:
    """A wrong signature stays wrong: the same token costs one verification a second, and whatever may change is asked again."""
    issuer = TrustedIssuer("https://login.example", audience=AUDIENCE, jwks_uri="https://login.example/jwks")
    clock = Clock()
    memory = ConnectionMemory(Verifier(issuer, clock=clock))  # type: ignore[arg-type,unused-ignore]
    request: Any = SimpleNamespace(conn_info=SimpleNamespace(ctx=SimpleNamespace()))
    first = memory.look_up(request, ["Bearer x"])
    assert first is not None
    memory.refuse(first, AuthError(refusal))
    again = memory.look_up(request, ["Bearer x"])
    assert again is first
    recent = memory.recent_refusal(again)
    assert (None if recent is None else recent.refusal) == (refusal if repeated else None)
    clock.ahead = 1.1
    assert memory.recent_refusal(again) is None
    other = memory.look_up(request, ["Bearer y"])
    assert other is not None
    assert memory.recent_refusal(other) is None
    assert memory.look_up(request, ["Bearer x", "Bearer y"]) is None


def test_token_is_checked_again_after_a_slow_body(make: Any) -> None:
    """The token is checked again once the body has come, before the handler is called."""
    parts = make()
    head = f"POST /who HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {parts.issuer.mint()}\r\nContent-Length: 4\r\n"
    with parts.server.raw() as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        parts.clock.ahead = 1000.0
        connection.sendall(b"four")
        received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 401 ")
    assert b"token_expired" in received


def test_cors_middleware_responds_to_preflights_only(issuer: LocalIssuer) -> None:
    """Where there is no route for OPTIONS a CORS middleware responds to preflights, and to nothing else."""
    app = make_app("preflights")
    _add_routes(app)

    @app.on_request  # type: ignore[untyped-decorator,unused-ignore]
    async def allow(request: Request) -> HTTPResponse | None:
        return text("", 204) if request.method == "OPTIONS" else None

    install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())))
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    with Serving(app) as server:
        assert server.call("OPTIONS", "/who", headers=preflight).status == 204
        assert server.call("OPTIONS", "/who").status == 401


def test_repeated_forged_token_is_verified_once_per_second(make: Any) -> None:
    """A client that asks again and again with a wrong signature is refused without another verification."""
    parts = make()
    verified: list[str] = []
    gate = parts.guard._gate
    assert gate is not None
    verify = gate._authenticator._verify_now

    def counting(token: str, bound: bool) -> Any:
        verified.append(token)
        return verify(token, bound)

    gate._authenticator._verify_now = counting
    connection, forged = parts.connection(), parts.issuer.mint()[:-8] + "AAAAAAAA"
    for _ in range(5):
        connection.request("GET", "/who", headers={"Authorization": f"Bearer {forged}"})
        response = connection.getresponse()
        response.read()
        assert response.status == 401
    assert 1 <= len(verified) <= 3  # a second one where the first request made the memory, a third on a busy machine
    connection.close()
