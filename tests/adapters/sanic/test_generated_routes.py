"""HEAD and OPTIONS that sanic-ext adds beside a route ask what that route asks, host by host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, public, requires
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

HOSTS = {"open.example": public, "closed.example": requires(scope("a")), "token.example": authenticated}
PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


async def _secret(request: Request) -> HTTPResponse:
    return text(request.host)


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[Serving]:
    """One path on three hosts, with sanic-ext."""
    app = make_app("generated")
    app.config.update(AUTO_EXTEND=True, OAS=False, INJECTION=False, TEMPLATING=False)
    for number, (host, rule) in enumerate(HOSTS.items()):
        app.add_route(_secret, "/x", name=f"x{number}", host=host, ctx_auth=rule)
    install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())))
    with Serving(app) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "anonymous", "without", "good"),
    [("open.example", 200, 200, 200), ("closed.example", 401, 403, 200), ("token.example", 401, 200, 200)],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_generated_head_follows_get_of_its_host(
    server: Serving, issuer: LocalIssuer, method: str, host: str, anonymous: int, without: int, good: int
) -> None:
    """A HEAD is admitted as the GET of the same host is, whatever another host's GET asks."""
    tokens = (None, issuer.mint(scope="b"), issuer.mint(scope="a"))
    statuses = [server.call(method, "/x", token=token, headers={"Host": host}).status for token in tokens]
    assert statuses == [anonymous, without, good]


@pytest.mark.parametrize(("host", "plain"), [("open.example", 204), ("closed.example", 401), ("token.example", 401)])
def test_generated_options_is_open_beside_a_public_route_of_its_host(server: Serving, host: str, plain: int) -> None:
    """A preflight passes everywhere; any other OPTIONS without a token only where the host's own route is public."""
    assert server.call("OPTIONS", "/x", headers={"Host": host, **PREFLIGHT}).status == 204
    assert server.call("OPTIONS", "/x", headers={"Host": host}).status == plain
