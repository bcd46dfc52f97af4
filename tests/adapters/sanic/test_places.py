"""Where the tokens of an issuer are, and whose tenant a path names."""

from __future__ import annotations

import http.client
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text
from websockets.sync.client import connect

from bearward import (
    AuthError,
    ConfigurationError,
    CredentialPlace,
    TrustedIssuer,
    Verifier,
    authenticated,
    requires,
    tenant_is,
)
from bearward.testing import LocalIssuer
from bearward_sanic import CookieCredentials, install, reauthenticate
from tests.adapters.sanic.app_under_test import PATIENT
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

COOKIE = "CF_Authorization"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Of users, whose tokens are in `Authorization`."""
    with LocalIssuer(audience=AUDIENCE) as made:
        yield made


@pytest.fixture(scope="module")
def proxy() -> Iterator[LocalIssuer]:
    """Of a proxy in front, whose tokens are elsewhere."""
    with LocalIssuer(audience=AUDIENCE) as made:
        yield made


def _verifier(issuer: LocalIssuer, proxy: LocalIssuer, place: CredentialPlace) -> Verifier:
    return Verifier(
        TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=PATIENT),
        TrustedIssuer(proxy.url, audience=AUDIENCE, place=place, jwks_options=PATIENT),
    )


def test_header_of_a_proxy_beside_authorization(issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """Each issuer's tokens count in its own place, on a connection that is kept too, and never two at once."""
    app = make_app()
    install(app, _verifier(issuer, proxy, CredentialPlace(header="X-Asserted")), default=authenticated)

    @app.get("/who")
    async def who(request: Request) -> HTTPResponse:
        return text(str(request.ctx.principal.subject))

    user, asserted = {"Authorization": f"Bearer {issuer.mint(sub='ada')}"}, {"X-Asserted": proxy.mint(sub="bob")}
    swapped = {"X-Asserted": issuer.mint(sub="ada")}
    steps: list[tuple[dict[str, str], tuple[int, str]]] = [
        (user, (200, "ada")),
        (user, (200, "ada")),
        (asserted, (200, "bob")),
        (user | asserted, (400, "credentials_repeated")),
        (user, (200, "ada")),
        (swapped, (401, "issuer_untrusted")),
        ({"Authorization": f"Bearer {asserted['X-Asserted']}"}, (401, "issuer_untrusted")),
        ({}, (401, "credentials_missing")),
    ]
    with Serving(app) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for headers, (status, said) in steps:
            connection.request("GET", "/who", headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
            assert response.status == status
            assert said in body
        connection.close()


@pytest.mark.parametrize("settings", [{}, {"client_certificate": lambda request: None}])
def test_place_is_kept_while_keys_are_fetched(
    issuer: LocalIssuer, proxy: LocalIssuer, settings: dict[str, Any]
) -> None:
    """A token of a key that is not held yet counts in its own place and in no other, once the key has come."""
    app = make_app()
    place = CredentialPlace(header="X-Asserted")
    install(app, _verifier(issuer, proxy, place), default=authenticated, **settings)
    app.add_route(_home, "/", name="home")
    with Serving(app) as server:
        proxy.rotate()
        assert server.call("GET", "/", headers={"X-Asserted": proxy.mint()}).status == 200
        issuer.rotate()
        assert server.call("GET", "/", headers={"X-Asserted": issuer.mint()}).problem["code"] == "issuer_untrusted"
        assert server.call("GET", "/", token=issuer.mint()).status == 200


async def _home(request: Request) -> HTTPResponse:
    return text("")


def test_cookie_of_an_issuer_has_the_protection_of_a_cookie(issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """Its tokens count in the cookie only, and a request that changes something shows where it comes from."""
    cookie = CookieCredentials(name=COOKIE, origins=("https://notes.example",))
    app = make_app()
    install(app, _verifier(issuer, proxy, CredentialPlace(cookie=COOKIE)), default=authenticated, cookie=cookie)

    @app.route("/who", methods=["GET", "POST"])
    async def who(request: Request) -> HTTPResponse:
        return text(str(request.ctx.principal.subject))

    own, foreign = {"Cookie": f"{COOKIE}={proxy.mint(sub='bob')}"}, {"Cookie": f"{COOKIE}={issuer.mint()}"}
    with Serving(app) as server:
        assert server.call("GET", "/who", headers=own).status == 200
        assert server.call("POST", "/who", headers=own).problem["code"] == "csrf_check_failed"
        assert server.call("POST", "/who", headers=own | {"Origin": "https://notes.example"}).status == 200
        assert server.call("GET", "/who", headers=foreign).problem["code"] == "issuer_untrusted"
        assert server.call("GET", "/who", token=proxy.mint()).problem["code"] == "issuer_untrusted"
        assert server.call("GET", "/who", token=issuer.mint()).status == 200


def test_padded_token_in_the_cookie_of_an_issuer(issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """`padded` holds for a cookie as for a header: segments with their `=`, and signed as they are written."""
    cookie = CookieCredentials(name=COOKIE, origins=("https://notes.example",))
    app = make_app()
    place = CredentialPlace(cookie=COOKIE, padded=True)
    install(app, _verifier(issuer, proxy, place), default=authenticated, cookie=cookie)
    app.add_route(_home, "/", name="home")
    with Serving(app) as server:
        for length in range(3):  # two of three need padding
            token = _padded(proxy, "x" * length)
            assert server.call("GET", "/", headers={"Cookie": f"{COOKIE}={token}"}).status == 200


def _padded(issuer: LocalIssuer, name: str) -> str:
    segments = issuer.mint(name=name).split(".")[:2]
    signed = ".".join(segment + "=" * (-len(segment) % 4) for segment in segments)
    key = issuer.key()
    return f"{signed}.{urlsafe_b64encode(key.sign(signed.encode(), key.alg)).decode()}"


def test_cookie_of_an_issuer_without_its_protection_is_a_configuration_error(
    issuer: LocalIssuer, proxy: LocalIssuer
) -> None:
    """A browser sends a cookie on its own, so the application says how it is protected, or does not start."""
    app = make_app()
    install(app, _verifier(issuer, proxy, CredentialPlace(cookie=COOKIE)), default=authenticated)
    app.add_route(lambda _: text(""), "/", name="home")
    with pytest.raises(ConfigurationError) as caught, Serving(app):
        pass
    must = f"must be CookieCredentials for the cookie {COOKIE!r}, in which the tokens of an issuer are"
    assert (caught.value.setting, caught.value.requirement) == ("cookie", must)


def test_rule_by_the_tenant_of_the_path(issuer: LocalIssuer) -> None:
    """A caller of one tenant is refused at another's path, with the code of a claim."""
    app = make_app()
    install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=PATIENT)))

    @app.get("/tenants/<tenant>/notes")
    @requires(tenant_is("tenant", claim="tid"))
    async def notes(request: Request, tenant: str) -> HTTPResponse:
        return text(tenant)

    with Serving(app) as server:
        blue = issuer.mint(claims={"tid": "blue"})
        assert server.call("GET", "/tenants/blue/notes", token=blue).status == 200
        for path, token in (
            ("/tenants/green/notes", blue),
            ("/tenants/Blue/notes", blue),
            ("/tenants/blue/notes", issuer.mint()),
        ):
            assert server.call("GET", path, token=token).problem["code"] == "claim_insufficient"


def test_rule_by_a_parameter_that_the_path_has_not_is_a_configuration_error(issuer: LocalIssuer) -> None:
    """It would refuse every call, so the server does not start."""
    app = make_app()
    install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=PATIENT)))

    @app.get("/notes/<number:int>")
    @requires(tenant_is("tenant", claim="tid"))
    async def notes(request: Request, number: int) -> HTTPResponse:
        return text("")

    with pytest.raises(ConfigurationError) as caught, Serving(app):
        pass
    assert caught.value.requirement == "must have the parameters that its rule depends on: tenant"


def test_message_is_no_place_of_a_proxy_s_token(issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """What an asserter says counts in its own place alone, so a socket goes on under the token that opened it."""
    app = make_app()
    install(app, _verifier(issuer, proxy, CredentialPlace(header="X-Asserted")), default=authenticated)

    @app.websocket("/ws")
    async def renewing(request: Request, ws: Any) -> None:
        try:
            await reauthenticate(request, await ws.recv())
        except AuthError as refused:
            await ws.send(f"{refused.code} {request.ctx.principal.subject}")

    with Serving(app) as server:
        headers = {"X-Asserted": proxy.mint(sub="bob")}
        with connect(f"ws://127.0.0.1:{server.port}/ws", additional_headers=headers, open_timeout=30) as ws:
            ws.send(proxy.mint(sub="bob"))
            assert ws.recv(30) == "issuer_untrusted bob"
