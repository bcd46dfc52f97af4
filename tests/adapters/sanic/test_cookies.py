"""A token in a cookie: which values are one, which pages may open a websocket, and double submit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import ConfigurationError, TrustedIssuer, Verifier
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

    @app.route("/x", methods=["GET", "HEAD", "OPTIONS", "POST", "DELETE"])  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def x(request: Request) -> HTTPResponse:
        return text(request.ctx.principal.subject)

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
        ("localhost", "http://localhost", 101),
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


SECRET = "s" * 16
OURS = ("Origin", "https://app.example")


def _ask(server: Serving, method: str, *headers: tuple[str, str]) -> tuple[int, str | None]:
    """Status and code."""
    answer = httpx2.request(method, f"http://127.0.0.1:{server.port}/x", headers=[*headers], timeout=30)
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 and answer.content else None


@pytest.mark.parametrize(
    ("method", "cookies", "headers", "admitted"),
    [
        ("GET", [], [], True),
        ("HEAD", [], [], True),
        ("OPTIONS", [], [], True),
        ("POST", [SECRET], [SECRET], True),
        ("DELETE", [SECRET], [SECRET], True),
        ("POST", [], [], False),
        ("DELETE", [], [], False),
        ("POST", [SECRET], [], False),
        ("POST", [], [SECRET], False),
        ("POST", [SECRET], ["t" * 16], False),
        ("POST", [SECRET], [SECRET + "s"], False),
        ("POST", [SECRET[1:]], [SECRET[1:]], False),  # anybody could try all values of a short one
        ("POST", [SECRET, SECRET], [SECRET], False),
        ("POST", ["t" * 16, SECRET], ["t" * 16], False),  # a neighbouring host may set a second cookie
        ("POST", [SECRET], [SECRET, SECRET], False),
        ("POST", [SECRET], [SECRET, "t" * 16], False),
    ],
)
def test_double_submit_compares_one_cookie_with_one_header(
    server: Serving, issuer: LocalIssuer, method: str, cookies: list[str], headers: list[str], admitted: bool
) -> None:
    """A request that may change something repeats the one cookie in the one header; an `Origin` does not replace it."""
    cookie = "; ".join([f"token={issuer.mint()}", *(f"csrf={value}" for value in cookies)])
    fields = [("Cookie", cookie), OURS, *(("X-CSRF-Token", value) for value in headers)]
    status, code = _ask(server, method, *fields)
    assert (status, code) == ((200, None) if admitted else (403, "csrf_check_failed"))


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("token={}", (200, None)),
        ("a=b;token={};c", (200, None)),
        ('token="{}"', (200, None)),
        ("token =  {} ;", (200, None)),
        ("xtoken={}", (401, "credentials_missing")),
        ("TOKEN={}", (401, "credentials_missing")),
        ("a=token", (401, "credentials_missing")),
        ("token", (401, "credentials_missing")),
        ("token=", (400, "credentials_malformed")),
        ("token={0}; token={0}", (400, "credentials_repeated")),
        ("token={}; token=", (400, "credentials_repeated")),
    ],
)
def test_cookie_is_read_by_its_exact_name(
    server: Serving, issuer: LocalIssuer, cookie: str, expected: tuple[int, str | None]
) -> None:
    """RFC 6265 section 5.4: pairs of name and value; all that have the name count, and there may be only one."""
    assert _ask(server, "GET", ("Cookie", cookie.format(issuer.mint()))) == expected


def test_two_cookie_headers_are_read_as_one(server: Serving, issuer: LocalIssuer) -> None:
    """HTTP/2 splits a `Cookie` header, and whoever puts it together again may not hide a second token."""
    token = ("Cookie", f"token={issuer.mint()}")
    assert _ask(server, "GET", ("Cookie", "a=b"), token) == (200, None)
    assert _ask(server, "GET", token, token) == (400, "credentials_repeated")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        *(({name: ""}, f"cookie.{name}") for name in ("name", "csrf_cookie", "csrf_header")),
        *(({name: "a b"}, f"cookie.{name}") for name in ("name", "csrf_cookie", "csrf_header")),
        *(({name: 7}, f"cookie.{name}") for name in ("name", "csrf_cookie", "csrf_header")),
        ({"csrf": "none"}, "cookie.csrf"),
        ({"origins": ()}, "cookie.origins"),
        ({"origins": "", "csrf": "double_submit"}, "cookie.origins"),
        *(
            ({"origins": ("https://app.example", wrong)}, "cookie.origins")
            for wrong in (
                *(7, "", "app.example", "://app.example", "https://", "ftp://app.example", "https://app.\u00e9xample"),
                *("https://app.example/", "https://app.example?", "https://a@app.example", "https://app example"),
            )
        ),
    ],
)
def test_invalid_cookie_settings_are_refused(settings: dict[str, Any], setting: str) -> None:
    """A cookie comes with a proof against forgery that can be given; the setting that is wrong is named."""
    with pytest.raises(ConfigurationError) as wrong:
        CookieCredentials(**{"origins": ("https://app.example",), **settings})
    assert wrong.value.setting == setting


def test_valid_cookie_settings_are_accepted() -> None:
    """With origins of pages, ports and plain http among them; by double submit, with none."""
    CookieCredentials(origins=("https://app.example", "https://app.example:8443", "http://localhost:3000"))
    CookieCredentials(csrf="double_submit")
    CookieCredentials(csrf="double_submit", origins=("https://app.example",))
