"""`principal: Principal` as a parameter, whenever sanic-ext injects."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.adapters.sanic.here import server_class
from tests.adapters.sanic.servers import Kind, Server

SIGNALS = ["http.routing.after", "http.handler.before"]


NEWEST = [(signal, False) for signal in SIGNALS]
OLDEST = [pytest.param((signal, True), marks=pytest.mark.thorough) for signal in SIGNALS]


@pytest.fixture(scope="module", params=[*NEWEST, *OLDEST])
def injecting(request: pytest.FixtureRequest, issuer: Any) -> Any:
    """A server whose handlers ask for their caller."""
    signal, oldest = request.param
    python = request.getfixturevalue("oldest_python") if oldest else None
    kind = Kind("native", True, python) if python else Kind("native", True)
    options = {"injection": True, "config": {"INJECTION_SIGNAL": signal}}
    with server_class(kind, options)(kind, issuer, options) as running:
        yield running


@pytest.mark.parametrize("path", ["/injected", "/injected-view"])
def test_principal_is_injected(injecting: Server, path: str) -> None:
    """A `Principal` parameter is the verified caller, in functions and views."""
    assert injecting.call("GET", path, token=injecting.mint("eve")).problem == {"subject": "eve"}


def test_optional_principal_is_injected(injecting: Server) -> None:
    """`Principal | None` is None for an anonymous caller on an optional route, and a bad token is refused."""
    assert injecting.call("GET", "/injected-optional").problem == {"subject": None}
    assert injecting.call("GET", "/injected-optional", token=injecting.mint("eve")).problem == {"subject": "eve"}
    assert injecting.call("GET", "/injected-optional", token="nonsense").status == 401


def test_public_route_has_no_principal(injecting: Server) -> None:
    """A public handler that insists on a caller refuses an anonymous caller by 401, and does not fail."""
    assert injecting.call("GET", "/injected-public").status == 401


def test_dependencies_not_resolved_for_refused_caller(injecting: Server) -> None:
    """What a route depends on is not made for a caller who is refused."""
    before = injecting.call("GET", "/made").body
    for token in (None, "nonsense"):
        answer = injecting.call("GET", "/injected", token=token)
        assert answer.status == 401
        assert answer.challenge is not None
    assert injecting.call("GET", "/made").body == before
    assert injecting.call("HEAD", "/injected").status == 401


def test_principal_is_injected_into_websockets(injecting: Server) -> None:
    """A websocket's handler too, and an anonymous caller is refused before the 101."""
    url = f"ws://127.0.0.1:{injecting.port}/injected-ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {injecting.mint('eve')}"}) as ws:
        assert ws.recv(30) == "eve"
    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    assert refused.value.response.status_code == 401
