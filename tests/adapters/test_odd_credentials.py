"""Odd credentials, in one place or in two: Sanic, grpc.aio and grpc.server say the same of them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import grpc
import pytest
from sanic.response import text

from bearward import CredentialPlace, TrustedIssuer, Verifier
from bearward.dpop import DPoP
from bearward.testing import DPoPClient, LocalIssuer
from bearward_grpc import authenticated, optional
from bearward_sanic import install
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app

AUDIENCE = "https://api.example"
METHOD = f"/{SERVICE}/UU"
Headers = list[tuple[str, str]]
Ask = Callable[[Headers], str]
"""`ok`, or the code of the refusal of these headers."""

AUTHORIZATION = (
    "",
    "Bearer {plain}",
    "Bearer {bound}",
    "DPoP {bound}",
    "Basic {plain}",
    "Basic dTpw",
    "DPoP",
    "{plain}",
    "x",
)
PLACED = ("", "{placed}", "{plain}", "{bound}", "Bearer {placed}", "x y", "{placed}=")
RULES = {"authenticated": authenticated, "optional": optional}
DPOP = {"bearer": None, "dpop": DPoP(origins=AUDIENCE), "dpop required": DPoP(origins=AUDIENCE, required=True)}


@pytest.fixture(scope="module")
def issuers() -> Iterator[tuple[LocalIssuer, LocalIssuer]]:
    """One whose tokens are in `Authorization`, and one whose tokens are in a header of a proxy."""
    with (
        LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as plain,
        LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as placed,
    ):
        yield plain, placed


def _trusting(issuers: tuple[LocalIssuer, LocalIssuer], dpop: DPoP | None) -> Verifier:
    plain, placed = issuers
    return Verifier(
        TrustedIssuer(plain.url, audience=AUDIENCE, jwks=plain.keys.jwks()),
        TrustedIssuer(
            placed.url, audience=AUDIENCE, jwks=placed.keys.jwks(), place=CredentialPlace(header="x-proxy-token")
        ),
        dpop=dpop,
    )


def _http(server: Serving) -> Ask:
    def ask(headers: Headers) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.putrequest("POST", METHOD)
        for name, value in (*headers, ("content-length", "0")):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return "ok" if response.status == 200 else str(json.loads(body)["code"])

    return ask


def _grpc(channel: Any) -> Ask:
    def ask(headers: Headers) -> str:
        try:
            channel.unary_unary(METHOD)(b"", timeout=30, metadata=tuple(headers))
        except grpc.RpcError as error:
            failed: Any = error
            return str(dict(failed.trailing_metadata())["bearward-code"])
        return "ok"

    return ask


def _servers(stack: ExitStack, make: Callable[[], Verifier], rule: Any) -> list[Ask]:
    app = make_app("odd-credentials")
    app.add_route(lambda request: text("ok"), METHOD, name="r", methods=["POST"], ctx_auth=rule)
    install(app, make())
    channels = [
        stack.enter_context(grpc.insecure_channel(stack.enter_context(serving(kind, make(), {SERVICE: rule})).target))
        for kind in ("aio", "sync")
    ]
    return [_http(stack.enter_context(Serving(app))), *map(_grpc, channels)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dpop", DPOP)
def test_every_transport_says_the_same(issuers: tuple[LocalIssuer, LocalIssuer], rule: str, dpop: str) -> None:
    """Whatever stands where, once or twice; nobody is let in with a credential that another transport refuses."""
    client, (plain, placed) = DPoPClient(), issuers
    tokens = {"plain": plain.mint(), "bound": plain.mint(cnf=client.cnf), "placed": placed.mint()}
    with ExitStack() as stack:
        asks = _servers(stack, lambda: _trusting(issuers, DPOP[dpop]), RULES[rule])
        for one, other, twice in product(AUTHORIZATION, PLACED, (False, True)):
            given = [("authorization", one), ("x-proxy-token", other)] * (1 + twice)
            headers = [(name, value.format(**tokens)) for name, value in given if value]
            said = []
            for ask in asks:
                proof = client.proof("POST", AUDIENCE + METHOD, token=tokens["bound"])
                said.append(ask([*headers, ("dpop", proof)]))
            assert len(set(said)) == 1, (one, other, twice, said)
