"""Code of the application that fails while a request is judged: nobody is let in, and the log says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import AuthError, Principal, TrustedIssuer, Verifier, own_check, requires
from bearward.requirements import Requirement
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install, optional, public
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Failing(Requirement):
    """A requirement of one's own, with a bug."""

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        raise ValueError


async def _passes(principal: Principal) -> bool:
    await asyncio.sleep(0)
    return True


AWAITED = own_check(_passes, code="asked")


def _certificate(request: Request) -> bytes | None:
    if "x-fail" in request.headers:
        raise ValueError
    return None


@pytest.fixture(scope="module")
def signer() -> LocalIssuer:
    """Signs; nobody fetches from it."""
    return LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example")


@pytest.fixture(scope="module")
def server(signer: LocalIssuer) -> Iterator[Serving]:
    """Routes whose handlers would say a secret, and a public one."""
    app = make_app("failing")
    rules = {
        "own": authenticated,
        "maybe": optional,
        "failing": requires(_Failing()),
        "awaiting": requires(AWAITED & _Failing()),
        "passing": requires(AWAITED),
        "open": public,
    }
    for name, rule in rules.items():
        app.add_route(_secret, f"/{name}", methods=["GET", "POST"], name=name, ctx_auth=rule)
    policy = TrustedIssuer(signer.url, audience=AUDIENCE, jwks=signer.keys.jwks())
    install(app, Verifier(policy), client_certificate=_certificate, form=True)
    with Serving(app) as running:
        yield running


async def _secret(request: Request) -> HTTPResponse:
    return text("SECRET")


@pytest.mark.parametrize(
    ("method", "path", "fails"),
    [
        ("GET", "/own", True),
        ("GET", "/maybe", True),
        ("POST", "/own", True),
        ("POST", "/maybe", True),
        ("GET", "/failing", False),
        ("POST", "/failing", False),
        ("GET", "/awaiting", False),
        ("POST", "/awaiting", False),
    ],
)
def test_failing_code_lets_nobody_in(
    server: Serving,
    signer: LocalIssuer,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    fails: bool,
) -> None:
    """What looks for a certificate, or a requirement of one's own; a token in a header, or (by POST) in a form."""
    token, headers = signer.mint(), {"x-fail": "1"} if fails else {}
    body = f"access_token={token}" if method == "POST" else None
    with caplog.at_level(logging.ERROR, "bearward.sanic"):
        answer = server.call(
            method, path, token=None if body else token, headers=headers | (FORM if body else {}), body=body
        )
    assert (answer.status, answer.problem["code"]) == (500, "internal_error")
    assert [record.name for record in caplog.records] == ["bearward.sanic"]
    assert token not in caplog.text


def test_others_are_served(server: Serving, signer: LocalIssuer) -> None:
    """Where that code is not asked, or does not fail."""
    fail: dict[str, Any] = {"x-fail": "1"}
    assert server.call("GET", "/open", headers=fail).status == 200
    assert server.call("GET", "/maybe", headers=fail).status == 200
    for path in ("/own", "/maybe", "/passing"):
        assert server.call("GET", path, token=signer.mint()).status == 200
