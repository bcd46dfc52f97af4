"""Each profile's table of tokens over real servers: Sanic, grpc.aio and grpc.server give the code that the core gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import CredentialPlace, Verifier, authenticated
from bearward_sanic import install
from tests.adapters.grpc.calls import path
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app
from tests.profiles.table import ACCEPTED, COMMON, Table, token_of
from tests.profiles.tables import TABLES

Ask = Callable[[list[tuple[str, str]]], str]
"""The code of what a server answers to a call with these headers."""


@contextmanager
def _sanic(verifier: Verifier) -> Iterator[Ask]:
    app = make_app()
    install(app, verifier, default=authenticated)

    @app.get("/private")
    async def private(request: Request) -> HTTPResponse:
        return text("in")

    with Serving(app) as server:

        def ask(headers: list[tuple[str, str]]) -> str:
            answer = server.call("GET", "/private", headers=dict(headers))
            return ACCEPTED if answer.status == 200 else str(answer.problem["code"])

        yield ask


@contextmanager
def _grpc(kind: str, verifier: Verifier) -> Iterator[Ask]:
    with serving(kind, verifier, {SERVICE: authenticated}) as server:

        def ask(headers: list[tuple[str, str]]) -> str:
            with RawCall(server.port, path("UU"), headers) as call:
                call.send(b"hello", end=True)
                reply = call.until_end()
            return ACCEPTED if reply.status == 0 else reply.headers[-1]["bearward-code"]

        yield ask


@contextmanager
def _served(transport: str, table: Table) -> Iterator[Ask]:
    verifier = Verifier(*table.trusted())
    with _sanic(verifier) if transport == "sanic" else _grpc(transport, verifier) as ask:
        yield ask


def _in(place: CredentialPlace | None, token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}") if place is None else (str(place.header), token)


@pytest.mark.parametrize("transport", ["sanic", "aio", "sync"])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_servers_give_the_verdicts_of_the_core(table: Table, transport: str) -> None:
    """Every row of the table, in the place where the issuer's tokens are."""
    with _served(transport, table) as ask:
        found = {row.name: ask([_in(table.place(), token_of(table, row))]) for row in (*table.rows, *COMMON)}
    assert found == {row.name: row.expected for row in (*table.rows, *COMMON)}


PLACED = [table for table in TABLES if table.place() is not None]


@pytest.mark.parametrize("transport", ["sanic", "aio", "sync"])
@pytest.mark.parametrize("table", PLACED, ids=lambda table: table.name)
def test_asserted_tokens_count_in_their_own_place_alone(table: Table, transport: str) -> None:
    """Elsewhere the token is not that issuer's; in two places at once, twice in one, or beside another one, it is refused."""
    place, good = table.place(), token_of(table, table.rows[0])
    own, bearer = _in(place, good), _in(None, good)
    with _served(transport, table) as ask:
        assert ask([own]) == ACCEPTED
        assert ask([bearer]) == ("credentials_malformed" if place is not None and place.padded else "issuer_untrusted")
        assert ask([("authorization", f"Bearer {good} {own[0]}")]) == "credentials_malformed"
        assert ask([("x-another", good)]) == "credentials_missing"
        assert ask([own, bearer]) == "credentials_repeated"
        assert ask([own, ("authorization", "Bearer x")]) == "credentials_repeated"
        assert ask([(own[0], f"Bearer {good}")]) == "credentials_malformed"
        assert ask([own]) == ACCEPTED
