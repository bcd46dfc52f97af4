"""Tokens bound to a client certificate (RFC 8705 section 3): worth nothing without it, whichever way they are read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.app_under_test import PATIENT
from tests.adapters.sanic.custom_handlers import certificate
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE, Answer

CERTIFICATE = b"a certificate"
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(CERTIFICATE).digest()).rstrip(b"=").decode()
SENT = [(CERTIFICATE.hex(), 200), (b"another".hex(), 401), (None, 401)]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def own_issuer() -> Iterator[LocalIssuer]:
    """An issuer whose keys change."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as running:
        yield running


@pytest.fixture
def server(own_issuer: LocalIssuer) -> Iterator[Serving]:
    """A server that finds certificates in a header, as behind a proxy, and tokens in forms."""
    app = make_app("bound")

    @app.route("/x", methods=["GET", "POST"])  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def x(request: Request) -> HTTPResponse:
        return text("SECRET")

    install(
        app,
        Verifier(TrustedIssuer(own_issuer.url, audience=AUDIENCE, jwks_options=PATIENT)),
        client_certificate=certificate,
        form=True,
    )
    with Serving(app) as running:
        yield running


def _call(server: Serving, token: str, sent: str | None, **more: Any) -> Answer:
    headers = {**more.pop("headers", {}), **({} if sent is None else {"X-Test-Certificate": sent})}
    return server.call(more.pop("method", "GET"), "/x", token=token or None, headers=headers, **more)


def _refused(answer: Answer) -> bool:
    return answer.status == 401 and answer.problem["code"] == "token_sender_constrained"


@pytest.mark.parametrize(("sent", "status"), SENT)
def test_certificate_is_checked_when_keys_are_fetched(
    server: Serving, own_issuer: LocalIssuer, sent: str | None, status: int
) -> None:
    """A token of a key that is not held yet waits for a fetch, and needs its certificate after that as well."""
    own_issuer.rotate()
    before = own_issuer.requests("/jwks")
    answer = _call(server, own_issuer.mint(cnf={"x5t#S256": THUMBPRINT}), sent)
    assert own_issuer.requests("/jwks") == before + 1
    assert answer.status == status
    assert status == 200 or _refused(answer)


@pytest.mark.parametrize(("sent", "status"), SENT)
def test_certificate_is_checked_for_a_token_in_a_form(
    server: Serving, own_issuer: LocalIssuer, sent: str | None, status: int
) -> None:
    """A token in a body is read later than others, and needs its certificate all the same."""
    body = f"access_token={own_issuer.mint(cnf={'x5t#S256': THUMBPRINT})}"
    answer = _call(server, "", sent, method="POST", body=body, headers={"Content-Type": FORM})
    assert answer.status == status
    assert status == 200 or _refused(answer)


def test_certificate_is_checked_by_every_request_of_a_connection(server: Serving, own_issuer: LocalIssuer) -> None:
    """One connection may carry the requests of many clients (a proxy's does): each proves its own certificate."""
    import http.client

    token = own_issuer.mint(cnf={"x5t#S256": THUMBPRINT})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for sent, status in SENT * 2:
        headers = {"Authorization": f"Bearer {token}"} | ({} if sent is None else {"X-Test-Certificate": sent})
        connection.request("GET", "/x", headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()
