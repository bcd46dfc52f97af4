"""Tokens that come with a proof (RFC 9449): on requests and handshakes, beside nothing else, and never read as none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import TrustedIssuer, Verifier, requires, scope
from bearward.dpop import DPoP
from bearward.testing import DPoPClient, LocalIssuer
from bearward_sanic import authenticated, install, optional
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

CLIENT = DPoPClient()
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
Expected = tuple[int, str | None]
ADMITTED: Expected = (200, None)
OPENED: Expected = (101, None)
REPEATED: Expected = (400, "credentials_repeated")


@pytest.fixture(scope="module")
def signer() -> LocalIssuer:
    """Signs; nobody fetches from it."""
    return LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")


def _serving(signer: LocalIssuer, *, dpop: bool = True, **settings: Any) -> Serving:
    app = make_app("proofs")

    async def who(request: Request) -> HTTPResponse:
        return text(str(request.ctx.principal and request.ctx.principal.subject))

    async def greet(request: Request, ws: Any) -> None:
        await ws.send(str(request.ctx.principal and request.ctx.principal.subject))

    for name, rule in (("own", authenticated), ("maybe", optional)):
        app.add_route(who, f"/{name}", name=name, ctx_auth=rule)
        app.add_websocket_route(greet, f"/{name}-ws", name=f"{name}_ws", ctx_auth=rule)
    app.add_route(who, "/scoped", name="scoped", ctx_auth=requires(scope("a")))
    policy = TrustedIssuer(signer.url, audience=AUDIENCE, jwks=signer.keys.jwks())
    install(app, Verifier(policy, dpop=DPoP(origins=AUDIENCE) if dpop else None), query=True, **settings)
    return Serving(app)


@pytest.fixture(scope="module")
def server(signer: LocalIssuer) -> Iterator[Serving]:
    """It takes tokens in the query, too."""
    with _serving(signer) as running:
        yield running


def _filled(text: str, signer: LocalIssuer, path: str) -> str:
    """`text` with a fresh token and the proof for it in the place of their names."""
    token = signer.mint(sub="ada", cnf=CLIENT.cnf)
    proof = CLIENT.proof("GET", AUDIENCE + path.partition("?")[0], token=token)
    return text.replace("TOKEN", token).replace("PROOF", proof)


def _ask(server: Serving, signer: LocalIssuer, path: str, *fields: tuple[str, str]) -> httpx2.Response:
    lines = _filled("\n".join((path, *(value for _, value in fields))), signer, path).split("\n")
    headers = [(name, value) for (name, _), value in zip(fields, lines[1:], strict=True)]
    return httpx2.get(f"http://127.0.0.1:{server.port}{lines[0]}", headers=headers, timeout=30)


def _came_of(answer: httpx2.Response) -> Expected:
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else None


BY_SCHEME, PROOF = ("Authorization", "DPoP TOKEN"), ("DPoP", "PROOF")


@pytest.mark.parametrize("path", ["/own", "/maybe"])
@pytest.mark.parametrize(
    ("fields", "query", "expected"),
    [
        ([BY_SCHEME, PROOF], "", ADMITTED),
        ([("Authorization", "dpop TOKEN"), PROOF], "", ADMITTED),
        ([("Authorization", "DPOP   TOKEN"), PROOF], "", ADMITTED),
        ([BY_SCHEME], "", (401, "dpop_proof_missing")),
        ([BY_SCHEME, ("DPoP", "x")], "", (400, "dpop_proof_malformed")),
        ([("Authorization", "DPoP x"), PROOF], "", (401, "token_malformed")),
        ([("Authorization", "DPoP"), PROOF], "", (400, "credentials_malformed")),
        ([("Authorization", "Bearer TOKEN"), PROOF], "", (401, "token_sender_constrained")),
        ([BY_SCHEME, PROOF, BY_SCHEME], "", REPEATED),
        ([BY_SCHEME, PROOF, ("Authorization", "Bearer TOKEN")], "", REPEATED),
        ([("Authorization", "Bearer TOKEN"), BY_SCHEME, PROOF], "", REPEATED),
        ([BY_SCHEME, PROOF], "?access_token=TOKEN", REPEATED),
        ([PROOF], "?access_token=TOKEN", (401, "token_sender_constrained")),
    ],
)
def test_proven_token_is_the_only_credential_of_a_request(
    server: Serving, signer: LocalIssuer, path: str, fields: list[Any], query: str, expected: Expected
) -> None:
    """By the scheme `DPoP` with one proof, beside no other token; what is wrong makes nobody anonymous."""
    answer = _ask(server, signer, path + query, *fields)
    assert _came_of(answer) == expected
    assert answer.status_code != 200 or answer.text == "ada"


def test_malformed_credentials_are_challenged_under_their_scheme(server: Serving, signer: LocalIssuer) -> None:
    """RFC 9449 section 7.1: what is wrong with a token that came as DPoP is said in the DPoP challenge."""
    for field in (("Authorization", "DPoP"), ("Authorization", "DPoP x")):
        challenge = _ask(server, signer, "/own", field, PROOF).headers["www-authenticate"]
        assert challenge.startswith("DPoP ")
        assert challenge.index("error=") < challenge.index("Bearer ")
    assert _ask(server, signer, "/own").headers["www-authenticate"].startswith(("Bearer ", "DPoP "))


def test_missing_scope_is_challenged_under_the_scheme_of_the_caller(server: Serving, signer: LocalIssuer) -> None:
    """RFC 9449 section 7.1: a caller who has proven a key is told under `DPoP`, another one under `Bearer`."""
    bearer = ("Authorization", f"Bearer {signer.mint()}")
    for scheme, fields in (("DPoP", (BY_SCHEME, PROOF)), ("Bearer", (bearer,))):
        answer = _ask(server, signer, "/scoped", *fields)
        assert _came_of(answer) == (403, "scope_insufficient")
        assert answer.headers["www-authenticate"].startswith(f'{scheme} realm="api", error="insufficient_scope"')


def _offer(server: Serving, signer: LocalIssuer, path: str, offered: str, *fields: tuple[str, str]) -> Any:
    more = [("Sec-WebSocket-Protocol", offered)] if offered else []
    lines = _filled("\n".join((path, *(value for _, value in [*more, *fields]))), signer, path).split("\n")
    headers = dict(HANDSHAKE) | {name: value for (name, _), value in zip([*more, *fields], lines[1:], strict=True)}
    return server.call("GET", lines[0], headers=headers)


def _opened(answer: Any) -> Expected:
    return answer.status, answer.problem["code"] if answer.status >= 400 else None


@pytest.mark.parametrize("path", ["/own-ws", "/maybe-ws"])
@pytest.mark.parametrize(
    ("offered", "fields", "query", "expected"),
    [
        ("dpop, TOKEN, PROOF", [], "", OPENED),
        ("chat, dpop, TOKEN, PROOF, superchat", [], "", OPENED),
        ("", [BY_SCHEME, PROOF], "", OPENED),
        ("dpop, TOKEN", [], "", (401, "dpop_proof_missing")),
        ("dpop, TOKEN", [PROOF], "", (401, "dpop_proof_missing")),
        ("dpop", [], "", (400, "credentials_malformed")),
        ("dpop, TOKEN, x", [], "", (400, "dpop_proof_malformed")),
        ("dpop, x, PROOF", [], "", (401, "token_malformed")),
        ("bearer, TOKEN", [PROOF], "", (401, "token_sender_constrained")),
        ("dpop, TOKEN, PROOF, dpop, TOKEN, PROOF", [], "", REPEATED),
        ("dpop, TOKEN, PROOF, dpop", [], "", REPEATED),
        ("dpop, TOKEN, PROOF, bearer, TOKEN", [], "", REPEATED),
        ("dpop, TOKEN, PROOF", [BY_SCHEME, PROOF], "", REPEATED),
        ("dpop, TOKEN, PROOF", [("Authorization", "Bearer TOKEN")], "", REPEATED),
        ("dpop, TOKEN, PROOF", [], "?access_token=TOKEN", REPEATED),
        ("bearer, TOKEN", [BY_SCHEME, PROOF], "", REPEATED),
    ],
)
def test_proven_token_is_the_only_credential_of_a_handshake(
    server: Serving, signer: LocalIssuer, path: str, offered: str, fields: Any, query: str, expected: Expected
) -> None:
    """As a browser can: `Sec-WebSocket-Protocol: dpop, <token>, <proof>`; what is wrong makes nobody anonymous."""
    answer = _offer(server, signer, path + query, offered, *fields)
    assert _opened(answer) == expected
    if expected == OPENED and offered:
        assert answer.headers["sec-websocket-protocol"] == "dpop"


def test_optional_routes_are_open_to_who_brings_nothing(server: Serving, signer: LocalIssuer) -> None:
    """A proof alone is no credential, and neither is a scheme that nobody here reads."""
    assert _ask(server, signer, "/maybe").text == "None"
    assert _ask(server, signer, "/maybe", PROOF).text == "None"
    assert _ask(server, signer, "/maybe", ("Authorization", "Basic dTpw")).text == "None"
    assert _opened(_offer(server, signer, "/maybe-ws", "chat")) == OPENED
    assert _opened(_offer(server, signer, "/own-ws", "chat")) == (401, "credentials_missing")


def test_subprotocols_are_no_credential_of_other_requests(server: Serving, signer: LocalIssuer) -> None:
    """What a handshake may offer is nothing on a plain route."""
    for offered in ("dpop, TOKEN, PROOF", "bearer, TOKEN"):
        fields = [("Sec-WebSocket-Protocol", offered)]
        assert _came_of(_ask(server, signer, "/own", *fields)) == (401, "credentials_missing")
        assert _ask(server, signer, "/maybe", *fields).text == "None"


def test_subprotocols_may_be_no_credential_at_all(signer: LocalIssuer) -> None:
    """Without `websocket_subprotocol` only the fields of a handshake count."""
    with _serving(signer, websocket_subprotocol=False) as server:
        for offered in ("dpop, TOKEN, PROOF", "bearer, TOKEN"):
            assert _opened(_offer(server, signer, "/own-ws", offered)) == (401, "credentials_missing")
            assert _opened(_offer(server, signer, "/maybe-ws", offered)) == OPENED
        assert _opened(_offer(server, signer, "/own-ws", "dpop, TOKEN, PROOF", BY_SCHEME, PROOF)) == OPENED


@pytest.mark.parametrize("settings", [{}, {"client_certificate": lambda request: None}])
def test_server_without_dpop_reads_no_proof(signer: LocalIssuer, settings: dict[str, Any]) -> None:
    """The subprotocol `dpop` is then one like any other, with which a handshake brings nothing; other schemes or not."""
    with _serving(signer, dpop=False, **settings) as server:
        assert _opened(_offer(server, signer, "/maybe-ws", "dpop, TOKEN, PROOF")) == OPENED
        assert _opened(_offer(server, signer, "/own-ws", "dpop, TOKEN, PROOF")) == (401, "credentials_missing")
        assert _came_of(_ask(server, signer, "/own", BY_SCHEME, PROOF)) == (401, "bearer_scheme_missing")


def test_server_without_certificates_has_no_scheme_for_them(server: Serving, signer: LocalIssuer) -> None:
    """`mtls_pop` is then a scheme that nobody here reads."""
    assert _came_of(_ask(server, signer, "/own", ("Authorization", "mtls_pop TOKEN"))) == (401, "bearer_scheme_missing")
