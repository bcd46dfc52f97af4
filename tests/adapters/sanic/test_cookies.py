"""A cookie on a websocket: which pages may open one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sanic import Request

from bearward import TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import CookieCredentials, authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[Serving]:
    """Double submit, and no origins configured."""
    app = make_app("cookies")

    @app.websocket("/ws")  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def ws(request: Request, ws: object) -> None:
        """Say nothing."""

    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    install(app, Verifier(policy), cookie=CookieCredentials(name="token", csrf="double_submit", csrf_cookie="csrf"))
    with Serving(app) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("app.example", "https://app.example", 101),
        ("app.example", "http://app.example", 403),
        ("app.example:8443", "https://app.example:8443", 101),
        ("app.example:8443", "http://app.example:8443", 403),
        ("app.example:8443", "https://app.example", 403),
        ("app.example", "https://evil.example", 403),
        ("app.example", "null", 403),
        ("app.example", None, 403),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 101),
        ("localhost:8000", "http://localhost:8000", 101),
        ("[::1]:8000", "http://[::1]:8000", 101),
        ("localhost.example", "http://localhost.example", 403),
    ],
)
def test_double_submit_websocket_takes_its_own_origin_over_https(
    server: Serving, issuer: LocalIssuer, host: str, origin: str | None, status: int
) -> None:
    """RFC 6454: an origin is scheme, host and port; a page that came over plain http may be anybody's."""
    headers = {**HANDSHAKE, "Host": host, "Cookie": f"token={issuer.mint()}"}
    headers |= {} if origin is None else {"Origin": origin}
    assert server.call("GET", "/ws", headers=headers).status == status
