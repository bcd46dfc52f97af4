"""Several applications in one process: they share one verifier, or have their own, and stop in any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import JWKSOptions, Principal, TrustedIssuer, Verifier, authenticated
from bearward.testing import LocalIssuer
from bearward_sanic import install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer whose keys the tests rotate."""
    with LocalIssuer(audience=AUDIENCE) as running:
        yield running


def verifier_for(issuer: LocalIssuer) -> Verifier:
    """A verifier that has to fetch each new key, and may at once."""
    return Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(cooldown=0.0)))


def guarded_by(verifier: Verifier, name: str) -> Any:
    """An application that says who calls."""
    app = make_app(name)
    install(app, verifier, default=authenticated)

    @app.get("/")
    async def who(request: Request) -> HTTPResponse:
        principal: Principal = request.ctx.principal
        return text(principal.subject or "")

    return app


def admits_new_keys(server: Serving, issuer: LocalIssuer) -> bool:
    """Whether the server lets in a token of a key that it has to fetch."""
    issuer.rotate()
    return server.call("GET", "/", token=issuer.mint(sub="ada")).body == b"ada"


@pytest.mark.parametrize("shared", [True, False])
def test_apps_go_on_when_another_one_stops(shared: bool, issuer: LocalIssuer) -> None:
    """Each has its own loop; a verifier that they share runs on one of them, and moves when that one ends."""
    one = verifier_for(issuer)
    other = one if shared else verifier_for(issuer)
    first, second = Serving(guarded_by(one, "first")), Serving(guarded_by(other, "second"))
    with second:
        with first:
            assert admits_new_keys(first, issuer)
            assert admits_new_keys(second, issuer)
        assert admits_new_keys(second, issuer)
    with Serving(guarded_by(one, "third")) as third:
        assert admits_new_keys(third, issuer)


def test_app_whose_loop_a_shared_verifier_runs_on_may_stop_first(issuer: LocalIssuer) -> None:
    """The others fetch keys as before."""
    shared = verifier_for(issuer)
    first, second = Serving(guarded_by(shared, "first")), Serving(guarded_by(shared, "second"))
    with first:
        second.__enter__()
        try:
            assert admits_new_keys(second, issuer)
        except BaseException:
            second.__exit__()
            raise
    try:
        assert admits_new_keys(second, issuer)
    finally:
        second.__exit__()
