"""Authentication that is renewed on a websocket: the same caller, the same rule, or nothing changes."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import Request
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.client import connect

from bearward import AuthError, Principal, Revocations, TrustedIssuer, Verifier, own_check, scope
from bearward.client_certificates import ForwardedCertificate, from_networks
from bearward.dpop import DPoP
from bearward.errors import UsageError
from bearward.testing import DPoPClient, LocalIssuer
from bearward_sanic import install, public, reauthenticate, requires
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

THUMBPRINT = "A" * 43
"""Of the certificate whose SHA-256 is all zeros."""
CALLER = {"sub": "ada", "client_id": "app", "azp": "app", "scope": "a"}


async def _not_suspended(principal: Principal) -> bool:
    await asyncio.sleep(0)
    return "suspended" not in principal.claims


NOT_SUSPENDED = own_check(_not_suspended, code="suspended")


class Parts:
    """A server that trusts two issuers, and says over a socket who is calling."""

    def __init__(self) -> None:
        names = ("https://login.example", "https://other.example")
        self.issuers = [LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=name) for name in names]
        policies = [TrustedIssuer(i.url, audience=AUDIENCE, jwks=i.keys.jwks()) for i in self.issuers]
        self.revocations = Revocations()
        app = make_app("renewal")
        app.add_websocket_route(_renewing, "/ws", name="ws", ctx_auth=requires(scope("a") & NOT_SUSPENDED))
        app.add_websocket_route(_renewing, "/public", name="public", ctx_auth=public)
        app.add_websocket_route(self._renewing_too_late, "/late", name="late", ctx_auth=requires(scope("a")))
        app.add_websocket_route(_greeting, "/greeting", name="greeting", ctx_auth=requires(scope("a")))
        proxy = ForwardedCertificate("xfcc", only_from=from_networks("127.0.0.1"))
        verifier = Verifier(*policies, revocations=self.revocations, dpop=DPoP(origins=AUDIENCE))
        install(app, verifier, client_certificate=proxy)
        self.too_late: queue.Queue[str] = queue.Queue()
        self.server = Serving(app)

    def mint(self, issuer: int = 0, **claims: Any) -> str:
        """A token of the caller's, with some claims changed; None leaves one out."""
        merged = {**CALLER, "jti": "first", **claims}
        without = [name for name, value in merged.items() if value is None]
        sent = {name: value for name, value in merged.items() if value is not None}
        return self.issuers[issuer].mint(without=without, **sent)

    async def _renewing_too_late(self, request: Request, ws: Any) -> None:
        newer = await ws.recv()
        try:
            await ws.recv()
        except asyncio.CancelledError:
            try:
                await reauthenticate(request, newer)
            except AuthError as error:
                self.too_late.put(error.code)
            else:
                self.too_late.put("renewed")
            raise

    def connect(self, token: str | None, path: str = "/ws", **headers: str) -> Any:
        """A socket."""
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        return connect(f"ws://127.0.0.1:{self.server.port}{path}", additional_headers=headers, open_timeout=30)


async def _renewing(request: Request, ws: Any) -> None:
    while (message := await ws.recv()) is not None:
        token, _, proof = message.partition(" ")
        try:
            await reauthenticate(request, token, proof or None)
        except (AuthError, UsageError) as error:
            await ws.send(error.code if isinstance(error, AuthError) else "misused")
        else:
            await ws.send(f"now {request.ctx.principal.token_id}")


async def _greeting(request: Request, ws: Any) -> None:
    await ws.send("hello")


@pytest.fixture
def parts() -> Iterator[Parts]:
    """Served while the test runs."""
    made = Parts()
    with made.server:
        yield made
    for issuer in made.issuers:
        issuer.close()


@pytest.mark.parametrize(
    ("issuer", "claims", "code"),
    [
        (1, {}, "claim_mismatch"),
        (0, {"sub": "eve"}, "claim_mismatch"),
        (0, {"sub": ""}, "claim_mismatch"),
        (0, {"sub": None}, "claim_mismatch"),
        (0, {"client_id": "another"}, "claim_mismatch"),
        (0, {"client_id": None}, "claim_mismatch"),
        (0, {"azp": "another"}, "claim_mismatch"),
        (0, {"scope": "b"}, "scope_insufficient"),
        (0, {"scope": None}, "scope_insufficient"),
        (0, {"suspended": True}, "suspended"),
        (0, {"aud": "https://another.example"}, "audience_mismatch"),
        (0, {"exp": 1}, "token_expired"),
    ],
)
def test_only_the_same_caller_may_reauthenticate(parts: Parts, issuer: int, claims: dict[str, Any], code: str) -> None:
    """Issuer, subject and client stay the same, and the route's rule is checked again; else all stays as it was."""
    with parts.connect(parts.mint()) as ws:
        ws.send(parts.mint(issuer, **claims))
        assert ws.recv(30) == code
        ws.send(parts.mint(jti="second"))
        assert ws.recv(30) == "now second"


@pytest.mark.parametrize("sub", [None, ""])
def test_token_without_subject_is_never_the_same_caller(parts: Parts, sub: str | None) -> None:
    """A token without a subject speaks for no one in particular: another of that sort is not known to be the same."""
    with parts.connect(parts.mint(sub=sub)) as ws:
        ws.send(parts.mint(sub=sub, jti="second"))
        assert ws.recv(30) == "claim_mismatch"


def test_socket_lives_by_its_newer_token(parts: Parts) -> None:
    """The older token's end ends nothing any more, and the newer one's does."""
    first = time.time() + 1
    with parts.connect(parts.mint(exp=first)) as ws:
        ws.send(parts.mint(jti="second", exp=first + 1))
        assert ws.recv(30) == "now second"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(30)
        assert time.time() > first + 0.9
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "token_expired")


@pytest.mark.parametrize(("revoked", "ends"), [("first", False), ("second", True)])
def test_revocation_follows_the_newer_token(parts: Parts, revoked: str, ends: bool) -> None:
    """After a renewal the newer token's revocation ends the socket, the older one's does not."""
    with parts.connect(parts.mint()) as ws:
        ws.send(parts.mint(jti="second"))
        assert ws.recv(30) == "now second"
        parts.revocations.revoke_token("https://login.example", revoked, until=4e9)
        if ends:
            with pytest.raises(ConnectionClosed) as closed:
                ws.recv(30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.reason == "token_revoked"
        else:
            ws.send(parts.mint(jti="third"))
            assert ws.recv(30) == "now third"


def test_misuse_is_an_error_of_the_code(parts: Parts) -> None:
    """On a socket for which no caller was verified there is nothing to renew: `UsageError`, not a refusal."""
    with parts.connect(None, "/public") as ws:
        ws.send(parts.mint())
        assert ws.recv(30) == "misused"


def test_ended_socket_cannot_be_reauthenticated(parts: Parts) -> None:
    """A handler that notices the end and then brings a newer token comes too late."""
    with parts.connect(parts.mint(exp=time.time() + 1), "/late") as ws:
        ws.send(parts.mint(jti="second"))
        assert parts.too_late.get(timeout=30) == "token_expired"


@pytest.mark.parametrize(
    ("thumbprint", "said"),
    [(THUMBPRINT, "now second"), ("B" * 43, "token_sender_constrained"), (None, "token_sender_constrained")],
)
def test_reauthentication_keeps_the_binding(parts: Parts, thumbprint: str | None, said: str) -> None:
    """The newer token is bound to the certificate of the handshake (RFC 8705 section 3), as the first one was."""
    field = {"x-forwarded-client-cert": "Hash=" + "00" * 32}
    with parts.connect(parts.mint(cnf={"x5t#S256": THUMBPRINT}), **field) as ws:
        ws.send(parts.mint(jti="second", cnf=None if thumbprint is None else {"x5t#S256": thumbprint}))
        assert ws.recv(30) == said


def test_newer_token_is_proven_like_the_first_one(parts: Parts) -> None:
    """By the same key, for the handshake's method and URI (RFC 9449 section 4.3), and by each proof once."""
    client, other, url = DPoPClient(), DPoPClient(), f"{AUDIENCE}/ws"
    first, second = parts.mint(cnf=client.cnf), parts.mint(jti="second", cnf=client.cnf)
    foreign = parts.mint(jti="third", cnf=other.cnf)
    proofs = {
        "token_sender_constrained": f"{foreign} {other.proof('GET', url, token=foreign)}",
        "dpop_key_mismatch": f"{second} {other.proof('GET', url, token=second)}",
        "dpop_uri_mismatch": f"{second} {client.proof('GET', f'{AUDIENCE}/late', token=second)}",
        "now second": f"{second} {client.proof('GET', url, token=second)}",
    }
    sent = {"Authorization": f"DPoP {first}", "DPoP": client.proof("GET", url, token=first)}
    with parts.connect(first, **sent) as ws:
        ws.send(second)
        assert ws.recv(30) == "token_sender_constrained"
        for said, message in proofs.items():
            ws.send(message)
            assert ws.recv(30) == said
        ws.send(proofs["now second"])
        assert ws.recv(30) == "dpop_replayed"


def test_socket_whose_handler_returns_is_closed_as_usual(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of ours is waited for where no token has ended."""
    with parts.connect(parts.mint(), "/greeting") as ws:
        assert ws.recv(30) == "hello"
        with pytest.raises(ConnectionClosedOK) as closed:
            ws.recv(30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
