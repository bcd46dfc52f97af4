"""What a connection remembers of a token spares its hash, and no check."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import Revocations, TrustedIssuer, Verifier, scope
from bearward.events import Event, Refused, only
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, public, requires
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Connection:
    """One persistent connection."""

    def __init__(self, server: Serving) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(self, path: str, token: str | None, **more: Any) -> tuple[int, str]:
        """Status, and the code or the text."""
        headers = {**more.get("headers", {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        self._connection.request(more.get("method", "GET"), path, body=more.get("body"), headers=headers)
        response = self._connection.getresponse()
        body = response.read().decode()
        return response.status, body if response.status < 400 else json.loads(body)["code"]

    def close(self) -> None:
        self._connection.close()


class Parts:
    """A server, its verifier and its issuer."""

    def __init__(self, *, token_cache_bytes: int = 1024 * 1024, **settings: Any) -> None:
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")
        self.revocations = Revocations()
        policy = TrustedIssuer(self.issuer.url, audience=AUDIENCE, jwks=self.issuer.keys.jwks())
        self.seen: list[Event] = []
        self.verifier = Verifier(
            policy,
            revocations=self.revocations,
            observers=[only(self.seen.append, Refused)],
            token_cache_bytes=token_cache_bytes,
        )
        app = make_app("remembered")
        app.add_route(authenticated(_who), "/who", methods=["GET", "POST"], name="who")
        app.add_route(requires(scope("a"))(_who_again), "/scoped", name="scoped")
        app.add_route(public(_nobody), "/public", name="public")
        install(app, self.verifier, **settings)
        self.server = Serving(app)


async def _who(request: Request) -> HTTPResponse:
    return text(request.ctx.principal.subject)


async def _who_again(request: Request) -> HTTPResponse:
    return text(request.ctx.principal.subject)


async def _nobody(request: Request) -> HTTPResponse:
    return text(str(request.ctx.principal))


@pytest.fixture
def parts() -> Iterator[Parts]:
    """With the token in a form allowed."""
    made = Parts(form=True)
    with made.server:
        yield made
    made.issuer.close()


def test_second_credential_is_refused_on_a_remembered_connection(parts: Parts) -> None:
    """RFC 6750 section 2: a token in the body beside the remembered one in the header is one too many."""
    connection, token = Connection(parts.server), parts.issuer.mint(sub="ada")
    for _ in range(4):
        assert connection.ask("/who", token) == (200, "ada")
    more = {"method": "POST", "body": f"access_token={token}", "headers": FORM}
    assert connection.ask("/who", token, **more) == (400, "credentials_repeated")
    assert connection.ask("/who", token, method="POST", body="a=b", headers=FORM) == (200, "ada")
    connection.close()


@pytest.mark.parametrize("first", ["remembered", "other"])
def test_second_field_is_refused_on_a_remembered_connection(parts: Parts, first: str) -> None:
    """The remembered `Authorization` field beside another one, before it or behind it, is not recognized."""
    remembered, other = parts.issuer.mint(sub="ada"), parts.issuer.mint(sub="eve")
    connection = http.client.HTTPConnection("127.0.0.1", parts.server.port, timeout=30)

    def ask(*tokens: str) -> tuple[int, bytes]:
        connection.putrequest("GET", "/who")
        for token in tokens:
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read()

    for _ in range(4):
        assert ask(remembered) == (200, b"ada")
    both = (remembered, other) if first == "remembered" else (other, remembered)
    status, body = ask(*both)
    assert (status, json.loads(body)["code"]) == (400, "credentials_repeated")
    assert ask(remembered) == (200, b"ada")
    connection.close()


def test_rules_are_checked_on_a_remembered_connection(parts: Parts) -> None:
    """A remembered token passes no rule that it does not meet, and leaves nothing on a public route."""
    connection, token = Connection(parts.server), parts.issuer.mint(sub="ada", scope="b")
    for _ in range(4):
        assert connection.ask("/who", token) == (200, "ada")
        assert connection.ask("/scoped", token) == (403, "scope_insufficient")
        assert connection.ask("/public", token) == (200, "None")
    assert connection.ask("/scoped", parts.issuer.mint(sub="eve", scope="a")) == (200, "eve")
    connection.close()


@pytest.mark.parametrize("next_path", ["/who", "/scoped", "/nowhere"])
def test_revoked_token_is_refused_on_a_remembered_connection(parts: Parts, next_path: str) -> None:
    """A revocation reaches the very next request, whichever way its token is recognized."""
    connection, token = Connection(parts.server), parts.issuer.mint(sub="ada", jti="one", scope="a")
    for _ in range(4):
        assert connection.ask("/who", token) == (200, "ada")
    parts.revocations.revoke_token("https://login.example", "one", until=4e9)
    for path in (next_path, "/scoped", "/who", "/scoped", "/nowhere"):
        assert connection.ask(path, token) == (401, "token_revoked")
    assert connection.ask("/who", parts.issuer.mint(sub="ada", jti="two")) == (200, "ada")
    connection.close()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (401, "credentials_missing")),
        ("{token}x", (401, "token_malformed")),
        ("{eve}", (200, "eve")),
        ("", (400, "credentials_malformed")),
    ],
)
def test_only_the_remembered_header_is_recognized(parts: Parts, header: str | None, expected: tuple[int, str]) -> None:
    """On a connection that knows a token only that very token is recognized."""
    connection, token = Connection(parts.server), parts.issuer.mint(sub="ada")
    other = None if header is None else header.format(token=token, eve=parts.issuer.mint(sub="eve"))
    for _ in range(4):  # from the second time on it is recognized
        assert connection.ask("/who", token) == (200, "ada")
    assert connection.ask("/who", other) == expected
    assert connection.ask("/who", token) == (200, "ada")
    connection.close()


def test_refusal_that_is_repeated_names_its_issuer_each_time(parts: Parts) -> None:
    """The client that asks again and again is counted under the issuer of its token, as it was at first."""
    connection, token = Connection(parts.server), parts.issuer.mint(expires_in=-60)
    assert [connection.ask("/who", token) for _ in range(4)] == [(401, "token_expired")] * 4
    connection.close()
    told = {(event.code, event.issuer, event.kid) for event in parts.seen if isinstance(event, Refused)}
    assert len(parts.seen) == 4
    assert told == {("token_expired", parts.issuer.url, parts.issuer.key("ES256").kid)}


def test_verifier_that_remembers_no_token_serves_kept_connections() -> None:
    """Without a cache of tokens there is nothing to recognize: each request is verified anew."""
    made = Parts(token_cache_bytes=0)
    with made.server:
        connection, token = Connection(made.server), made.issuer.mint(sub="ada", jti="one", scope="a")
        for _ in range(4):
            assert connection.ask("/who", token) == (200, "ada")
            assert connection.ask("/scoped", token) == (200, "ada")
        made.revocations.revoke_token("https://login.example", "one", until=4e9)
        assert connection.ask("/who", token) == (401, "token_revoked")
        connection.close()
    made.issuer.close()
