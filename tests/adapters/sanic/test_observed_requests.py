"""What observers hear of requests: each decision once, whichever way it took, and how long it took."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import AuthError, Refusal, TrustedIssuer, Verifier, requires, scope
from bearward.dpop import DPoP
from bearward.events import Event, Refused, StreamEnded, Verified, only
from bearward.testing import DPoPClient, LocalIssuer
from bearward_sanic import authenticated, install, optional, public
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

CLIENT = DPoPClient()


class Parts:
    """A server that is observed, and a connection to it."""

    def __init__(self, *, middleware: bool) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")
        policy = TrustedIssuer(self.issuer.url, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        self.heard: list[Event] = []
        observers = [only(self.heard.append, Verified, Refused, StreamEnded)]
        app = make_app("observed")
        app.add_route(_who, "/who", methods=["GET", "POST"], name="who", ctx_auth=authenticated)
        app.add_route(_who, "/scoped", name="scoped", ctx_auth=requires(scope("a")))
        app.add_route(_who, "/maybe", name="maybe", ctx_auth=optional)
        app.add_route(_who, "/public", name="public", ctx_auth=public)
        app.add_route(_refusing, "/refusing", name="refusing", ctx_auth=optional)
        app.add_route(_failing, "/failing", name="failing", ctx_auth=authenticated)
        if middleware:
            app.on_request(_nothing)
        self.verifier = Verifier(policy, observers=observers, dpop=DPoP(origins=AUDIENCE))
        install(app, self.verifier)
        self.server = Serving(app)

    def ask(self, *requests: tuple[str, str, str | None]) -> list[int]:
        """The statuses of these requests on one connection: method, path, `Authorization`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        statuses = []
        for method, path, value in requests:
            headers = {} if value is None else {"Authorization": value}
            connection.request(method, path, body=b"four" if method == "POST" else None, headers=headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        return statuses

    def told(self) -> list[tuple[str, bool]]:
        """Of each event the code, or `verified`, and whether it says how long the decision took; then forgotten."""
        events, self.heard[:] = [*self.heard], []
        assert all(event.correlation_id for event in events if isinstance(event, Refused | Verified))
        return [
            (event.code if isinstance(event, Refused) else "verified", event.duration is not None)
            for event in events
            if isinstance(event, Refused | Verified)
        ]


async def _who(request: Request) -> HTTPResponse:
    return text(str(request.ctx.principal))


async def _refusing(request: Request) -> HTTPResponse:
    raise AuthError(Refusal.CLAIM_INSUFFICIENT)


async def _failing(request: Request) -> HTTPResponse:
    raise ValueError


async def _nothing(request: Request) -> None:
    """As most middleware does."""


@pytest.fixture(params=[False, True], ids=["alone", "among middleware"])
def parts(request: pytest.FixtureRequest) -> Iterator[Parts]:
    """The gate right before the handlers, and as a middleware."""
    made = Parts(middleware=request.param)
    with made.server:
        yield made
    made.issuer.close()


def test_each_admission_is_told_once(parts: Parts) -> None:
    """With its duration, except where the connection brought again what it had brought; of anonymous callers nothing."""
    good = f"Bearer {parts.issuer.mint(scope='a')}"
    assert parts.ask(("GET", "/who", good)) == [200]
    assert parts.told() == [("verified", True)]
    assert parts.ask(("POST", "/who", good), ("GET", "/scoped", good), ("GET", "/maybe", good)) == [200] * 3
    assert parts.told() == [("verified", True)] * 3
    assert parts.ask(*[("GET", "/who", good)] * 4) == [200] * 4
    told = parts.told()
    assert [code for code, _ in told] == ["verified"] * 4
    assert (told[0][1], told[3][1]) == (True, False)
    assert parts.ask(("GET", "/public", good), ("GET", "/maybe", None), ("GET", "/public", None)) == [200] * 3
    assert parts.told() == []


def test_each_refusal_is_told_once(parts: Parts) -> None:
    """With its duration: of credentials, of rules, and where there is no route."""
    without, expired = f"Bearer {parts.issuer.mint()}", f"Bearer {parts.issuer.mint(expires_in=-60)}"
    cases: list[tuple[tuple[str, str, str | None], int, str]] = [
        (("GET", "/who", None), 401, "credentials_missing"),
        (("POST", "/who", expired), 401, "token_expired"),
        (("GET", "/who", expired), 401, "token_expired"),
        (("GET", "/scoped", without), 403, "scope_insufficient"),
        (("GET", "/maybe", expired), 401, "token_expired"),
        (("GET", "/nowhere", None), 401, "credentials_missing"),
    ]
    for request, status, code in cases:
        assert parts.ask(request) == [status]
        assert parts.told() == [(code, True)]
    assert parts.ask(*[("GET", "/who", expired)] * 3) == [401] * 3
    assert [code for code, _ in parts.told()] == ["token_expired"] * 3


def test_error_of_a_handler_is_no_second_decision(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Sanic runs request middleware again on its error path: a proof that was used up is not judged anew."""
    token = parts.issuer.mint(cnf=CLIENT.cnf)
    proof = CLIENT.proof("GET", f"{AUDIENCE}/failing", token=token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    assert parts.server.call("GET", "/failing", headers=headers).status == 500
    assert parts.told() == [("verified", True)]
    assert parts.ask(*[("GET", "/failing", f"Bearer {parts.issuer.mint()}")] * 3) == [500] * 3
    assert [code for code, _ in parts.told()] == ["verified"] * 3
    assert caplog.records


@pytest.mark.parametrize("anonymous", [False, True])
def test_refusal_of_the_applications_own_code_names_its_caller(parts: Parts, *, anonymous: bool) -> None:
    """What a handler raises is told as what the gate refuses, with the issuer of the caller's token, if there is one."""
    value = None if anonymous else f"Bearer {parts.issuer.mint()}"
    assert parts.ask(("GET", "/refusing", value)) == [403]
    refused = [event for event in parts.heard if isinstance(event, Refused)]
    expected = "unknown" if anonymous else parts.issuer.url
    assert [(event.code, event.issuer) for event in refused] == [("claim_insufficient", expected)]


def test_client_that_leaves_while_it_sends_is_nobodys_error(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Its request was never complete: it is neither admitted nor refused."""
    with parts.server.raw() as connection:
        head = f"POST /who HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {parts.issuer.mint()}\r\nContent-Length: 8\r\n"
        connection.sendall(f"{head}\r\nfour".encode())
        while parts.verifier.live_streams == 0:
            time.sleep(0.02)  # until a scan
    while parts.verifier.live_streams:
        time.sleep(0.02)  # until the next one
    assert parts.told() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
