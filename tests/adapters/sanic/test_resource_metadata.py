"""The public metadata document (RFC 9728): made of the configuration, the same from every worker."""

from __future__ import annotations

import json

from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import TenantIssuers, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

PATH = "/.well-known/oauth-protected-resource"


def test_metadata_names_no_tenant(issuer: LocalIssuer) -> None:
    """Who a customer is stands in no public document, however many of their users have called."""
    tenant = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://sso.customer.example")

    async def resolve(name: str) -> TrustedIssuer | None:
        return TrustedIssuer(name, audience=AUDIENCE, jwks=tenant.keys.jwks()) if name == tenant.url else None

    app = make_app("metadata")

    @app.get("/x")  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def x(request: Request) -> HTTPResponse:
        return text(request.ctx.principal.issuer)

    templates = TenantIssuers("https://{tenant}.login.example", audience=AUDIENCE)
    own = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    verifier = Verifier(own, templates, resolve)
    install(app, verifier, resource="https://api.example")
    with Serving(app) as server:
        before = server.call("GET", PATH).body
        assert server.call("GET", "/x", token=tenant.mint()).body == tenant.url.encode()
        assert server.call("GET", PATH).body == before
    assert json.loads(before)["authorization_servers"] == [issuer.url]
    tenant.close()


def test_challenges_name_metadata_served_elsewhere(issuer: LocalIssuer) -> None:
    """`resource_metadata` is the URL in the challenges, and nothing is served for it."""
    app = make_app("elsewhere")
    app.add_route(authenticated(_nothing), "/x", name="x")
    url = "https://meta.example/.well-known/oauth-protected-resource"
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    install(app, Verifier(policy), resource_metadata=url)
    with Serving(app) as server:
        assert f'resource_metadata="{url}"' in (server.call("GET", "/x").challenge or "")
        assert server.call("GET", PATH, token=issuer.mint()).status == 404


async def _nothing(_: Request) -> HTTPResponse:
    return text("")
